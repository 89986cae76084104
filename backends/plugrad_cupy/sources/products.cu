// Matrix products of the types that cuBLAS does not take: integers, which wrap around, and bools. A
// thread per element of the result. T is the elements' type.
#include "axes.cuh"

struct Product {
  void* out;  // in C order
  const void* x;
  const void* y;
  int64 count;
  int64 terms, x_step, y_step;  // along the summed axis
  Axes<2> axes;                 // of x and y, along the result's
};

KERNEL(matmul, Product, 256) {
  FOR_EACH(i, a.count) {
    int64 at[2];
    a.axes.places(i, at);
    T total = T();
    for (int64 k = 0; k < a.terms; ++k)
      total = plus(total, times(((const T*)a.x)[at[0] + k * a.x_step], ((const T*)a.y)[at[1] + k * a.y_step]));
    ((T*)a.out)[i] = total;
  }
}
