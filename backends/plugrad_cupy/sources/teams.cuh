// Teams: how threads share lines of elements. The threads of a block with the same threadIdx.y are
// a team: one thread (blockDim.x is 1), a warp (32), or the whole block (more; blockDim.y is 1 then).
//
// A team of one suits lines whose neighbours are neighbours in memory, columns; a warp or a block
// suits lines that are contiguous themselves, rows.
#pragma once
#include "functions.cuh"

// The line of this thread's team; it may be past the last one.
__device__ inline int64 team_line() {
  return blockIdx.x * (int64)blockDim.y + threadIdx.y;
}

template <class S>
union Words {
  S value;
  uint32 words[(sizeof(S) + 3) / 4];
};

// Shuffles of any struct, word by word: from the lane whose number differs in these bits, from that
// so many below, from that of this number.
#define SHUFFLE(name, shuffle, Lane)                             \
  template <class S>                                             \
  __device__ inline S name(S mine, Lane lane) {                  \
    Words<S> all = {mine};                                       \
    for (int i = 0; i < (int)(sizeof(S) + 3) / 4; ++i)           \
      all.words[i] = shuffle(0xffffffff, all.words[i], lane);    \
    return all.value;                                            \
  }
SHUFFLE(exchanged, __shfl_xor_sync, int)
SHUFFLE(shown_below, __shfl_up_sync, unsigned)
SHUFFLE(shown_by, __shfl_sync, int)

// What all threads of the team have, joined by a Fold; every thread gets it. The order is fixed, so
// that the result is the same every time.
template <class Fold, class S>
__device__ inline S team_join(S mine) {
  if (blockDim.x == 1) return mine;
#pragma unroll
  for (int lanes = 16; lanes; lanes /= 2) mine = Fold::join(mine, exchanged(mine, lanes));
  if (blockDim.x == 32) return mine;
  __shared__ S of_warps[32];
  __syncthreads();  // a join before may still be read
  if (threadIdx.x % 32 == 0) of_warps[threadIdx.x / 32] = mine;
  __syncthreads();
  mine = of_warps[0];
  for (int warp = 1; warp < (int)blockDim.x / 32; ++warp) mine = Fold::join(mine, of_warps[warp]);
  return mine;
}

struct Adding {
  template <class S>
  __device__ static S join(S x, S y) {
    return plus(x, y);
  }
};
struct Taking {  // the larger one
  template <class S>
  __device__ static S join(S x, S y) {
    return larger(x, y);
  }
};

// Where a line of an array in C order, seen as (outer, count, inner), begins; the neighbours on it
// are `inner` apart.
__device__ inline int64 line_start(int64 line, int64 count, int64 inner) {
  return inner == 1 ? line * count : line / inner * count * inner + line % inner;
}
