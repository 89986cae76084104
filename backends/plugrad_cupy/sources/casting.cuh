// The same number in another type: C's conversions with what they get wrong put right.
#pragma once
#include "scalars.cuh"

// The nearest half to a double: by way of the nearest float a number in the middle would round twice.
// Rounding to odd keeps it off the middle. S. Boldo, G. Melquiond, Emulation of FMA and correctly
// rounded sums, IEEE Transactions on Computers 57 (2008).
__device__ inline float to_odd(double x) {
  float near = (float)x;
  if ((double)near == x || x != x) return near;
  uint32 bits = __float_as_uint(near);
  if (fabs((double)near) > fabs(x)) --bits;
  return __uint_as_float(bits | 1);
}

template <class To, class From>
struct Cast {
  __device__ static To of(From x) { return convert<To>(x); }
};
template <>
struct Cast<float16, double> {
  __device__ static float16 of(double x) { return narrow<float16>(to_odd(x)); }
};
template <>
struct Cast<bfloat16, double> {
  __device__ static bfloat16 of(double x) { return narrow<bfloat16>(to_odd(x)); }
};
template <class To>
struct Cast<To, complex128> {
  __device__ static To of(complex128 x) { return Cast<To, double>::of(x.real); }
};
template <class R>
struct Cast<complex<R>, complex128> {
  __device__ static complex<R> of(complex128 x) { return {(R)x.real, (R)x.imag}; }
};
template <>
struct Cast<bool, complex128> {
  __device__ static bool of(complex128 x) { return truth(x); }
};

// Integers from floats, which C leaves open beyond the range: as x86 and so NumPy have it, what int64
// or int32 cannot hold, NaN too, is their lowest number, and smaller ones wrap around.
template <class F>
__device__ inline int64 to_int64(F x) {
  const F limit = (F)9223372036854775808.0;
  return x >= -limit && x < limit ? (int64)x : (int64)(1ull << 63);
}
template <class F>
__device__ inline int32 to_int32(F x) {
  int64 wide = to_int64(x);
  return wide == (int32)wide ? (int32)wide : (int32)(1u << 31);
}

#define FROM_FLOATS(I, THROUGH)                                                              \
  template <>                                                                                \
  struct Cast<I, float> {                                                                    \
    __device__ static I of(float x) { return (I)THROUGH(x); }                                \
  };                                                                                         \
  template <>                                                                                \
  struct Cast<I, double> {                                                                   \
    __device__ static I of(double x) { return (I)THROUGH(x); }                               \
  };                                                                                         \
  template <>                                                                                \
  struct Cast<I, float16> {                                                                  \
    __device__ static I of(float16 x) { return (I)THROUGH(widen(x)); }                       \
  };                                                                                         \
  template <>                                                                                \
  struct Cast<I, bfloat16> {                                                                 \
    __device__ static I of(bfloat16 x) { return (I)THROUGH(widen(x)); }                      \
  };                                                                                         \
  template <>                                                                                \
  struct Cast<I, complex64> {                                                                \
    __device__ static I of(complex64 x) { return (I)THROUGH(x.real); }                       \
  };
FROM_FLOATS(uint8, to_int64)
FROM_FLOATS(int8, to_int64)
FROM_FLOATS(int16, to_int64)
FROM_FLOATS(int32, to_int32)
FROM_FLOATS(int64, to_int64)
