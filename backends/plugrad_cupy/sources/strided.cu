// Elements moved from one order in memory to another. T is any type of the elements' size.
#include "axes.cuh"

struct Copy {
  void* out;
  const void* in;
  int64 count;
  Axes<2> axes;  // of out, of in
};

KERNEL(copy, Copy, 256) {
  FOR_EACH(i, a.count) {
    int64 at[2];
    a.axes.places(i, at);
    ((T*)a.out)[at[0]] = ((const T*)a.in)[at[1]];
  }
}

struct Fill {
  void* out;
  int64 count;
  T value;
};

KERNEL(fill, Fill, 256) {
  FOR_EACH(i, a.count) ((T*)a.out)[i] = a.value;
}
