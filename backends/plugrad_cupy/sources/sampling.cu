// Uniform and normal numbers, drawn without the words in memory. T is a float type.
#include "sampling.cuh"

template <class F>
__device__ inline F unit_of(const uint32* words);  // in [0, 1): from one word, or from two
template <>
__device__ inline float unit_of<float>(const uint32* words) {
  return (float)(words[0] >> 8) * 0x1p-24f;
}
template <>
__device__ inline double unit_of<double>(const uint32* words) {
  return ((double)(words[0] >> 5) * 0x1p26 + (double)(words[1] >> 6)) * 0x1p-53;
}

// Rounding to half could reach 1: cut to the bits that the type has.
template <class T>
__device__ inline Wide<T> cut(Wide<T> x) {
  return x;
}
template <>
__device__ inline float cut<float16>(float x) {
  return floorf(x * 0x1p11f) * 0x1p-11f;
}
template <>
__device__ inline float cut<bfloat16>(float x) {
  return floorf(x * 0x1p8f) * 0x1p-8f;
}

typedef Wide<T> A;
constexpr int WORDS = sizeof(A) / 4;  // that a number takes

KERNEL(uniform, Draw, 256) {
  constexpr int LANES = 4 / WORDS;
  EACH_BLOCK(i, LANES) {
    const Block block(a.seed, a.first + i);
    for (int lane = 0; lane < LANES; ++lane)
      if (i * LANES + lane < a.count)
        ((T*)a.out)[i * LANES + lane] = narrow<T>(cut<T>(unit_of<A>(block.words + lane * WORDS)));
  }
}

KERNEL(normal, Draw, 256) {
  constexpr int LANES = 4 / WORDS;
  EACH_BLOCK(i, LANES) {
    const Block block(a.seed, a.first + i);
    for (int lane = 0; lane < LANES && i * LANES + lane < a.count; lane += 2) {
      const A radius = sqrt(log(1 - unit_of<A>(block.words + lane * WORDS)) * -2);
      const A angle = unit_of<A>(block.words + (lane + 1) * WORDS) * (A)6.28318530717958647692;
      T* out = (T*)a.out + i * LANES + lane;
      out[0] = narrow<T>(radius * cos(angle));
      if (i * LANES + lane + 1 < a.count) out[1] = narrow<T>(radius * sin(angle));
    }
  }
}

KERNEL(keep_mask, Draw, 256) {
  const T kept = narrow<T>((A)a.scale), dropped = narrow<T>((A)0);
  const float p = (float)a.p;
  EACH_BLOCK(i, 4) {
    const Block block(a.seed, a.first + i);
    for (int lane = 0; lane < 4; ++lane)
      if (i * 4 + lane < a.count)
        ((T*)a.out)[i * 4 + lane] = unit_of<float>(block.words + lane) >= p ? kept : dropped;
  }
}
