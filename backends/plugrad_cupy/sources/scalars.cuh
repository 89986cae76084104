// The element types and how they are computed with: halves in float, everything else in itself.
//
// No header is included, neither CUDA's nor the standard library's: a module compiles in a tenth of
// a second, by NVRTC alone. The two halves are therefore two types of our own over their bits.
#pragma once

typedef unsigned char uint8;
typedef signed char int8;
typedef short int16;
typedef int int32;
typedef long long int64;
typedef unsigned int uint32;
typedef unsigned long long uint64;

struct float16 {
  unsigned short bits;
};
struct bfloat16 {
  unsigned short bits;
};

template <class R>
struct complex {
  R real, imag;
};
typedef complex<float> complex64;
typedef complex<double> complex128;

// A kernel takes one argument: a struct, whose first fields are pointers. `blocks` are those that fit
// a multiprocessor at once, at least. One will do: where none is named the assembler makes room for
// more than there is need of, and to that end spills registers.
#ifndef KERNEL_OF
#define KERNEL_OF(name, Arguments, threads, blocks)            \
  extern "C" __global__ void __launch_bounds__(threads, blocks) \
  name(const __grid_constant__ Arguments a)
#endif
#define KERNEL(name, Arguments, threads) KERNEL_OF(name, Arguments, threads, 1)

// what numbers of a type are computed in ---------------------------------------------------------

// `PACK` bytes of them are taken at once: as many as one instruction moves, but for complex numbers,
// whose functions take the registers of several others.
template <class T>
struct Traits {
  typedef T Wide;
  typedef T Real;
  static constexpr int PACK = 16;
};
template <>
struct Traits<float16> {
  typedef float Wide;
  typedef float16 Real;
  static constexpr int PACK = 16;
};
template <>
struct Traits<bfloat16> {
  typedef float Wide;
  typedef bfloat16 Real;
  static constexpr int PACK = 16;
};
template <class R>
struct Traits<complex<R>> {
  typedef complex<R> Wide;
  typedef R Real;
  static constexpr int PACK = sizeof(complex<R>);
};

template <class T>
using Wide = typename Traits<T>::Wide;
template <class T>
using Real = typename Traits<T>::Real;

template <class T>
__device__ inline T widen(T x) {
  return x;
}

__device__ inline float widen(bfloat16 x) {
  return __uint_as_float((uint32)x.bits << 16);
}

#ifdef __CUDACC_RTC__
#define PLUGRAD_PTX 1
#elif defined(__CUDACC__)
#define PLUGRAD_PTX 1
#endif

__device__ inline float widen(float16 x) {
#ifdef PLUGRAD_PTX
  float wide;
  asm("cvt.f32.f16 %0, %1;" : "=f"(wide) : "h"(x.bits));
  return wide;
#else
  return float_of_half(x.bits);
#endif
}

// From the computed number to the stored one: the only rounding that a half sees.
template <class T>
struct Narrow {
  __device__ static T of(T x) { return x; }
};

template <>
struct Narrow<float16> {
  __device__ static float16 of(float x) {
    float16 out;
#ifdef PLUGRAD_PTX
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(out.bits) : "f"(x));
#else
    out.bits = half_of_float(x);
#endif
    return out;
  }
};

template <>
struct Narrow<bfloat16> {
  __device__ static bfloat16 of(float x) {
    // To the nearest, halves to the even one; a NaN keeps a bit that survives the cut.
    uint32 bits = __float_as_uint(x);
    bfloat16 out;
    out.bits = x != x ? (bits >> 16) | 0x40 : (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
    return out;
  }
};

template <class T>
__device__ inline T narrow(Wide<T> x) {
  return Narrow<T>::of(x);
}

// from one type to another -----------------------------------------------------------------------

// C's conversions, but for bool (any nonzero number is true) and from complex (the real part).
template <class To, class From>
struct Convert {
  __device__ static To of(From x) { return (To)x; }
};
template <class From>
struct Convert<bool, From> {
  __device__ static bool of(From x) { return x != 0; }
};
template <class To, class R>
struct Convert<To, complex<R>> {
  __device__ static To of(complex<R> x) { return Convert<To, R>::of(x.real); }
};
template <class R, class From>
struct Convert<complex<R>, From> {
  __device__ static complex<R> of(From x) { return {(R)x, 0}; }
};
template <class R, class Q>
struct Convert<complex<R>, complex<Q>> {
  __device__ static complex<R> of(complex<Q> x) { return {(R)x.real, (R)x.imag}; }
};
template <class R>
struct Convert<bool, complex<R>> {
  __device__ static bool of(complex<R> x) { return x.real != 0 || x.imag != 0; }
};

template <class To, class From>
__device__ inline To convert(From x) {
  return narrow<To>(Convert<Wide<To>, Wide<From>>::of(widen(x)));
}

// arithmetic -------------------------------------------------------------------------------------

// Integers wrap around: in C++ only unsigned ones are allowed to.
template <class T>
__device__ inline T plus(T x, T y) {
  return x + y;
}
template <class T>
__device__ inline T minus(T x, T y) {
  return x - y;
}
template <class T>
__device__ inline T times(T x, T y) {
  return x * y;
}
#define WRAPPING(I, U)                                                                   \
  __device__ inline I plus(I x, I y) { return (I)((U)x + (U)y); }                        \
  __device__ inline I minus(I x, I y) { return (I)((U)x - (U)y); }                       \
  __device__ inline I times(I x, I y) { return (I)((U)x * (U)y); }
WRAPPING(uint8, uint32)
WRAPPING(int8, uint32)
WRAPPING(int16, uint32)
WRAPPING(int32, uint32)
WRAPPING(int64, uint64)
__device__ inline bool plus(bool x, bool y) {
  return x || y;
}
__device__ inline bool times(bool x, bool y) {
  return x && y;
}

template <class R>
__device__ inline complex<R> operator+(complex<R> x, complex<R> y) {
  return {x.real + y.real, x.imag + y.imag};
}
template <class R>
__device__ inline complex<R> operator-(complex<R> x, complex<R> y) {
  return {x.real - y.real, x.imag - y.imag};
}
template <class R>
__device__ inline complex<R> operator-(complex<R> x) {
  return {-x.real, -x.imag};
}
template <class R>
__device__ inline complex<R> operator*(complex<R> x, complex<R> y) {
  return {x.real * y.real - x.imag * y.imag, x.real * y.imag + x.imag * y.real};
}
template <class R>
__device__ inline complex<R> operator*(complex<R> x, R y) {
  return {x.real * y, x.imag * y};
}
// R. L. Smith, Algorithm 116, CACM 5 (1962): dividing by the larger part first does not overflow.
template <class R>
__device__ inline complex<R> operator/(complex<R> x, complex<R> y) {
  if (fabs(y.real) >= fabs(y.imag)) {
    R ratio = y.imag / y.real, scale = 1 / (y.real + y.imag * ratio);
    if (y.real == 0 && y.imag == 0) return {x.real / fabs(y.real), x.imag / fabs(y.real)};
    return {(x.real + x.imag * ratio) * scale, (x.imag - x.real * ratio) * scale};
  }
  R ratio = y.real / y.imag, scale = 1 / (y.imag + y.real * ratio);
  return {(x.real * ratio + x.imag) * scale, (x.imag * ratio - x.real) * scale};
}
template <class R>
__device__ inline bool operator==(complex<R> x, complex<R> y) {
  return x.real == y.real && x.imag == y.imag;
}
template <class R>
__device__ inline bool operator!=(complex<R> x, complex<R> y) {
  return !(x == y);
}

// A whole number as a number of any type.
template <class T>
__device__ inline T number(int x) {
  return Convert<T, int>::of(x);
}
template <class T>
__device__ inline T one(T) {
  return number<T>(1);
}
__device__ inline float infinity() {
  return __uint_as_float(0x7f800000);
}
__device__ inline float not_a_number() {
  return __uint_as_float(0x7fc00000);
}
template <class T>
__device__ inline bool truth(T x) {
  return Convert<bool, T>::of(x);
}
template <class T>
__device__ inline bool is_nan(T x) {
  return x != x;
}

// memory -----------------------------------------------------------------------------------------

// N neighbours that are loaded and stored at once.
template <class T, int N>
struct alignas(sizeof(T) * N) Pack {
  T at[N];
};

__device__ inline bool aligned(const void* pointer, int bytes) {
  return ((uint64)pointer & (bytes - 1)) == 0;
}

// Division by a number known when the kernel is launched, as a product; for dividends below 2^31.
// T. Granlund, P. Montgomery, Division by invariant integers using multiplication, PLDI 1994.
struct Divider {
  uint32 size, factor, shift;
  __device__ uint32 of(uint32 x) const { return (__umulhi(x, factor) + x) >> shift; }
};

// A walk over several axes, the last one fastest: where the i-th element is, in elements.
template <int AXES>
struct Walk {
  int rank;
  int small;  // whether every index and place stays below 2^31
  Divider sizes[AXES];
  int64 strides[AXES];

  __device__ int64 place(int64 i) const {
    if (rank == 1) return i * strides[0];
    if (small) {
      uint32 rest = (uint32)i;
      int at = 0;
#pragma unroll 1
      for (int k = rank - 1; k > 0; --k) {
        uint32 quotient = sizes[k].of(rest);
        at += (int)(rest - quotient * sizes[k].size) * (int)strides[k];
        rest = quotient;
      }
      return at + (int)rest * (int)strides[0];
    }
    int64 rest = i, at = 0;
#pragma unroll 1
    for (int k = rank - 1; k > 0; --k) {
      int64 quotient = rest / sizes[k].size;
      at += (rest - quotient * sizes[k].size) * strides[k];
      rest = quotient;
    }
    return at + rest * strides[0];
  }
};
