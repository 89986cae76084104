// What a softmax needs of a line, found in one pass.
#pragma once
#include "functions.cuh"
#include "teams.cuh"

typedef Wide<T> A;

// The largest element so far, and the sum of exp(x - largest): one pass gives both.
struct Peak {
  A largest, sum;
  __device__ static Peak join(Peak x, Peak y) {
    A top = larger(x.largest, y.largest);
    return {top, scaled(x, top) + scaled(y, top)};
  }
  __device__ static A scaled(Peak x, A top) {
    return x.sum == 0 ? (A)0 : x.sum * exp(x.largest - top);
  }
};

__device__ inline Peak peak_of(const T* x, int64 count, int64 inner) {
  Peak mine = {(A)-infinity(), 0};
  for (int64 i = threadIdx.x; i < count; i += blockDim.x) {
    A value = widen(x[i * inner]);
    if (value > mine.largest) mine = {value, mine.sum * exp(mine.largest - value) + 1};
    else if (value != (A)-infinity()) mine.sum += exp(value - mine.largest);  // else it adds 0
  }
  return team_join<Peak>(mine);
}
