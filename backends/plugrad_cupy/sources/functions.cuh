// Functions of one element that neither C++ nor CUDA has, or has under another meaning than the
// operators: integers, NaN and signed zeros as NumPy and PyTorch treat them.
#pragma once
#include "complex.cuh"
#include "scalars.cuh"

// division ---------------------------------------------------------------------------------------

// Of integers nothing may trap: by 0 the results are 0, and -1 is no division at all.
template <class T>
__device__ inline T floor_divided(T x, T y) {
  if (y == 0) return 0;
  if (y == (T)-1 && (T)-1 < 0) return minus((T)0, x);
  T out = x / y;
  return x % y != 0 && (x < 0) != (y < 0) ? out - 1 : out;
}
template <class T>
__device__ inline T remainder_of(T x, T y) {
  if (y == 0 || (y == (T)-1 && (T)-1 < 0)) return 0;
  T out = x % y;
  return out != 0 && (x < 0) != (y < 0) ? out + y : out;
}
template <class T>
__device__ inline T truncated_remainder(T x, T y) {
  if (y == 0 || (y == (T)-1 && (T)-1 < 0)) return 0;
  return x % y;
}

// The rounding of Python's divmod, which corrects what x / y rounds across an integer.
template <class F>
__device__ inline F floor_of_quotient(F x, F y) {
  if (y == 0) return x / y;
  F rest = fmod(x, y);
  F out = (x - rest) / y;
  if (rest != 0 && (y < 0) != (rest < 0)) out -= 1;
  if (out == 0) return copysign((F)0, x / y);
  F below = floor(out);
  return out - below > (F)0.5 ? below + 1 : below;
}
template <class F>
__device__ inline F remainder_with_sign_of(F x, F y) {
  F rest = fmod(x, y);
  if (rest == 0) return copysign((F)0, y);
  return (y < 0) != (rest < 0) ? rest + y : rest;
}
#define DIVISIONS(F)                                                                           \
  __device__ inline F floor_divided(F x, F y) { return floor_of_quotient(x, y); }                 \
  __device__ inline F remainder_of(F x, F y) { return remainder_with_sign_of(x, y); }            \
  __device__ inline F truncated_remainder(F x, F y) { return fmod(x, y); }
DIVISIONS(float)
DIVISIONS(double)

template <class F>
__device__ inline F reciprocal(F x) {
  return 1 / x;
}

// powers and signs -------------------------------------------------------------------------------

// Integers: square and multiply, wrapping around; negative powers are 0 but for the bases 1 and -1.
template <class T>
__device__ inline T power(T x, T y) {
  if (y < 0) return x == 1 ? 1 : x == (T)-1 ? (y & 1 ? -1 : 1) : 0;
  T out = 1;
  for (T base = x; y; y >>= 1, base = times(base, base))
    if (y & 1) out = times(out, base);
  return out;
}
__device__ inline float power(float x, float y) {
  return powf(x, y);
}
__device__ inline double power(double x, double y) {
  return pow(x, y);
}

template <class T>
__device__ inline T negative(T x) {
  return -x;
}
__device__ inline int32 negative(int32 x) {
  return minus(0, x);
}
__device__ inline int64 negative(int64 x) {
  return minus((int64)0, x);
}

template <class T>
__device__ inline T absolute(T x) {
  return x < 0 ? minus((T)0, x) : x;
}
__device__ inline bool absolute(bool x) {
  return x;
}
__device__ inline float absolute(float x) {
  return fabsf(x);
}
__device__ inline double absolute(double x) {
  return fabs(x);
}

// A zero keeps its sign; of NaN it is 0.
template <class T>
__device__ inline T sign(T x) {
  return x > 0 ? (T)1 : x < 0 ? (T)-1 : x == 0 ? x : (T)0;
}
__device__ inline bool sign(bool x) {
  return x;
}

template <class T>
__device__ inline T larger(T x, T y) {
  return is_nan(x) || x > y ? x : y;
}
template <class T>
__device__ inline T smaller(T x, T y) {
  return is_nan(x) || x < y ? x : y;
}

// rounding and classes ---------------------------------------------------------------------------

#define WHOLE(T)                                                   \
  __device__ inline T floor_of(T x) { return x; }                  \
  __device__ inline T ceiling_of(T x) { return x; }                \
  __device__ inline T truncated(T x) { return x; }                 \
  __device__ inline T rounded(T x) { return x; }
WHOLE(uint8)
WHOLE(int8)
WHOLE(int16)
WHOLE(int32)
WHOLE(int64)
#define ROUNDINGS(F)                                            \
  __device__ inline F floor_of(F x) { return floor(x); }           \
  __device__ inline F ceiling_of(F x) { return ceil(x); }          \
  __device__ inline F truncated(F x) { return trunc(x); }          \
  __device__ inline F rounded(F x) { return rint(x); }
ROUNDINGS(float)
ROUNDINGS(double)

template <class T>
__device__ inline bool is_infinite(T x) {
  return false;
}
#define INFINITE(F) \
  __device__ inline bool is_infinite(F x) { return x - x != 0 && x == x; }
INFINITE(float)
INFINITE(double)
template <class R>
__device__ inline bool is_infinite(complex<R> x) {
  return is_infinite(x.real) || is_infinite(x.imag);
}
template <class T>
__device__ inline bool is_finite(T x) {
  return x - x == number<T>(0);
}
__device__ inline bool is_finite(bool x) {
  return true;
}

// how a number is made ---------------------------------------------------------------------------

template <class T>
__device__ inline bool has_minus(T x) {
  return x < 0;
}
__device__ inline bool has_minus(bool x) {
  return false;
}
__device__ inline bool has_minus(float x) {
  return copysignf(1, x) < 0;
}
__device__ inline bool has_minus(double x) {
  return copysign(1.0, x) < 0;
}

template <class F>
__device__ inline F exponent_of(F x) {
  int exponent = 0;
  if (x - x == 0 && x != 0) frexp(x, &exponent);
  return (F)exponent;
}

template <class T>
struct Neighbour {
  __device__ static T of(T x, T y) { return nextafter(x, y); }
};
// The bits of a half, but for the sign, count its numbers from 0 up.
template <class H>
struct NeighbourOfHalf {
  __device__ static float of(float x, float y) {
    if (is_nan(x) || is_nan(y)) return x + y;
    if (x == y) return y;
    H out = narrow<H>(x);
    if (x == 0)
      out.bits = y < 0 ? 0x8001 : 1;
    else
      out.bits += (x < y) == (x > 0) ? 1 : -1;
    return widen(out);
  }
};
template <>
struct Neighbour<float16> : NeighbourOfHalf<float16> {};
template <>
struct Neighbour<bfloat16> : NeighbourOfHalf<bfloat16> {};
template <class T>
__device__ inline Wide<T> neighbour(Wide<T> x, Wide<T> y) {
  return Neighbour<T>::of(x, y);
}

// Euclid's algorithm.
template <class T>
__device__ inline T common_divisor(T x, T y) {
  while (y) {
    T rest = truncated_remainder(x, y);
    x = y;
    y = rest;
  }
  return absolute(x);
}

// bits -------------------------------------------------------------------------------------------

template <class T>
__device__ inline T inverted(T x) {
  return ~x;
}
__device__ inline bool inverted(bool x) {
  return !x;
}
// A shift by as many places as there are, or more, leaves nothing but the sign.
template <class T>
__device__ inline T shifted_up(T x, T y) {
  return (uint64)y < sizeof(T) * 8 ? (T)((uint64)x << y) : (T)0;
}
template <class T>
__device__ inline T shifted_down(T x, T y) {
  return (uint64)y < sizeof(T) * 8 ? (T)(x >> y) : x < 0 ? (T)-1 : (T)0;
}

// complex numbers --------------------------------------------------------------------------------

template <class T>
__device__ inline T conjugate(T x) {
  return x;
}
template <class R>
__device__ inline complex<R> conjugate(complex<R> x) {
  return {x.real, -x.imag};
}
template <class F>
__device__ inline F angle_of(F x) {
  return is_nan(x) ? x : x < 0 ? (F)3.14159265358979323846 : (F)0;
}

// logistic and normal distributions ---------------------------------------------------------------

// exp of a number that is not above 0 cannot overflow: both branches stay finite.
template <class F>
__device__ inline F logistic(F x) {
  F decay = exp(-absolute(x));
  return (x >= 0 ? (F)1 : decay) / (1 + decay);
}
template <class R>
__device__ inline complex<R> logistic(complex<R> x) {
  return reciprocal(number<complex<R>>(1) + exp(-x));
}

template <class F>
__device__ inline F normal_below(F x) {
  return erfc(x * (F)-0.70710678118654752440) * (F)0.5;
}
template <class F>
__device__ inline F normal_density(F x) {
  return exp(x * x * (F)-0.5) * (F)0.39894228040143267794;
}

template <class F>
__device__ inline F silu_slope(F x) {
  F s = logistic(x);
  return s * (1 + x * (1 - s));
}

// The normal distribution function approximated by tanh: D. Hendrycks, K. Gimpel, arXiv 1606.08415.
template <class F>
__device__ inline F normal_below_by_tanh(F x) {
  return (F)0.5 * (1 + tanh((F)0.79788456080286535588 * (x + (F)0.044715 * x * x * x)));
}
template <class F>
__device__ inline F gelu_tanh_slope(F x) {
  F below = normal_below_by_tanh(x);
  F slope = (F)0.79788456080286535588 * (1 + (F)0.134145 * x * x);
  return below + 2 * x * below * (1 - below) * slope;
}
