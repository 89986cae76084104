// The same numbers in another type: elements of T become those of U.
#include "axes.cuh"
#include "casting.cuh"

struct Casting {
  void* out;  // in C order
  const void* in;
  int64 count;
  Axes<1> axes;
};

KERNEL(cast, Casting, 256) {
  FOR_EACH(i, a.count) {
    int64 at;
    a.axes.places(i, &at);
    ((U*)a.out)[i] = Cast<U, T>::of(((const T*)a.in)[at]);
  }
}
