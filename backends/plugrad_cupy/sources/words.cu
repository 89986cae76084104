// The words of Philox themselves, and integers from 64 bits each.
#include "sampling.cuh"

KERNEL(philox, Draw, 256) {
  EACH_BLOCK(i, 4) {
    const Block block(a.seed, a.first + i);
    for (int lane = 0; lane < 4; ++lane)
      if (i * 4 + lane < a.count) ((int64*)a.out)[i * 4 + lane] = block.words[lane];
  }
}

KERNEL(randint, Draw, 256) {
  EACH_BLOCK(i, 2) {
    const Block block(a.seed, a.first + i);
    for (int lane = 0; lane < 2; ++lane) {
      const uint64 high = block.words[2 * lane] >> 1, wide = high << 32 | block.words[2 * lane + 1];
      if (i * 2 + lane < a.count)
        ((T*)a.out)[i * 2 + lane] = convert<T>((int64)(wide % a.width + (uint64)a.low));
    }
  }
}
