// Windows over (N, C, depth, height, width), a thread per element of the result. Missing spatial axes
// have size 1. T is the elements' type.
#pragma once
#include "axes.cuh"

struct Windows {
  void* out;            // in C order
  int64* positions;     // in C order, of the largest elements
  const void* in;
  int64 count;          // of elements of out
  int64 strides[5];     // of in
  Size sizes[3];        // of the pooled array
  Size outs[3];         // of its windows
  Size channels;
  int kernel[3], stride[3], padding[3], dilation[3];
  int include_padding;  // whether padding counts as elements
  double divisor;       // 0: the number of elements
};

// Where the i-th element's item and channel begin in `in`; its three spatial indices.
__device__ inline const T* split(const Windows& a, int64 i, const Size* sizes, int* at) {
  for (int k = 2; k >= 0; --k) at[k] = (int)sizes[k].pop(i);
  const T* in = (const T*)a.in + a.channels.pop(i) * a.strides[1];
  return in + i * a.strides[0];
}
