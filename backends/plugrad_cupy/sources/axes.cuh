// A walk over several arrays at once that share axes, in C order: where the i-th element of each is.
#pragma once
#include "scalars.cuh"

constexpr int RANK = 12;  // as in `plugrad_cupy.strided`, which merges axes

#define FOR_EACH(i, count)                                                                \
  for (int64 i = blockIdx.x * (int64)blockDim.x + threadIdx.x; i < (count);               \
       i += (int64)gridDim.x * blockDim.x)

__device__ inline uint64 high_product(uint64 x, uint64 y) {
#ifdef PLUGRAD_PTX
  return __umul64hi(x, y);
#else
  return (uint64)((unsigned __int128)x * y >> 64);
#endif
}

// Division by a size as a product, as `Divider` does it in 32 bits: that of 64-bit numbers is a
// function call, around which the compiler spills registers.
struct Size {
  int64 size;
  uint64 factor;
  int64 shift;

  // The quotient; the remainder is left in x.
  __device__ int64 cut(int64& x) const {
    int64 above = (int64)((high_product((uint64)x, factor) + (uint64)x) >> shift);
    x -= above * size;
    return above;
  }
  // The remainder; the quotient is left in x.
  __device__ int64 pop(int64& x) const {
    int64 rest = x;
    x = cut(rest);
    return rest;
  }
};

template <int WALKS>
struct Axes {
  Size sizes[RANK];
  int64 strides[RANK][WALKS];  // in elements
  int64 rank;

  __device__ void places(int64 i, int64* at) const {
    for (int w = 0; w < WALKS; ++w) at[w] = 0;
    for (int k = (int)rank - 1; k >= 0; --k) {
      int64 index = sizes[k].pop(i);
      for (int w = 0; w < WALKS; ++w) at[w] += index * strides[k][w];
    }
  }
};
