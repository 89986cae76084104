// Random words: Philox4x32-10, four from a counter.
// J. K. Salmon et al., Parallel random numbers: as easy as 1, 2, 3, SC 2011.
#pragma once
#include "scalars.cuh"

struct Draw {
  void* out;
  uint64 seed, first;  // the first block's counter
  int64 count;         // of elements
  int64 low;           // randint: the least number, and how many there are
  uint64 width;
  double p, scale;     // keep_mask: the probability of 0, and what the others are
};

// Four words from a counter: those of places 4 * counter and on.
struct Block {
  uint32 words[4];
  __device__ Block(uint64 seed, uint64 counter) {
    uint32 a = (uint32)counter, b = (uint32)(counter >> 32), c = 0, d = 0;
    uint32 low = (uint32)seed, high = (uint32)(seed >> 32);
    for (int round = 0; round < 10; ++round) {
      const uint64 left = (uint64)0xD2511F53u * a, right = (uint64)0xCD9E8D57u * c;
      a = (uint32)(right >> 32) ^ b ^ low;
      b = (uint32)right;
      c = (uint32)(left >> 32) ^ d ^ high;
      d = (uint32)left;
      low += 0x9E3779B9u;
      high += 0xBB67AE85u;
    }
    words[0] = a, words[1] = b, words[2] = c, words[3] = d;
  }
};

#define EACH_BLOCK(index, lanes)                                                             \
  for (int64 index = blockIdx.x * (int64)blockDim.x + threadIdx.x;                           \
       index * (lanes) < a.count; index += (int64)gridDim.x * blockDim.x)
