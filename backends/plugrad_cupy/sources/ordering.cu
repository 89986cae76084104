// Positions counted from the other end of an axis.
#include "axes.cuh"

struct Reflection {
  int64* out;  // in C order
  const int64* in;
  int64 count;
  int64 last;
  Axes<1> axes;
};

KERNEL(reflect, Reflection, 256) {
  FOR_EACH(i, a.count) {
    int64 at;
    a.axes.places(i, &at);
    a.out[i] = a.last - a.in[at];
  }
}
