// Functions of complex numbers. Single precision is computed in double: such numbers are rare, and
// every formula then rounds once. Formulas that keep their accuracy near zeros and branch cuts are
// W. Kahan's, Branch cuts for complex elementary functions, 1987.
#pragma once
#include "scalars.cuh"

#define OF_COMPLEX(name) \
  __device__ inline complex64 name(complex64 z) { \
    return convert<complex64>(name(convert<complex128>(z))); \
  }

template <class R>
__device__ inline R absolute(complex<R> z) {
  return hypot(z.real, z.imag);
}
template <class R>
__device__ inline R angle_of(complex<R> z) {
  return atan2(z.imag, z.real);
}
template <class R>
__device__ inline complex<R> sign(complex<R> z) {
  R modulus = absolute(z);
  return modulus == 0 ? z : complex<R>{z.real / modulus, z.imag / modulus};
}
template <class R>
__device__ inline complex<R> reciprocal(complex<R> z) {
  return number<complex<R>>(1) / z;
}

// i * z and -i * z, without products
__device__ inline complex128 turned(complex128 z) {
  return {-z.imag, z.real};
}
__device__ inline complex128 turned_back(complex128 z) {
  return {z.imag, -z.real};
}

__device__ inline complex128 exp(complex128 z) {
  double size = exp(z.real);
  return {size * cos(z.imag), size * sin(z.imag)};
}
OF_COMPLEX(exp)
__device__ inline complex128 exp2(complex128 z) {
  double size = exp2(z.real), angle = z.imag * 0.69314718055994530942;
  return {size * cos(angle), size * sin(angle)};
}
OF_COMPLEX(exp2)
__device__ inline complex128 expm1(complex128 z) {
  double half = sin(z.imag * 0.5);
  return {expm1(z.real) * cos(z.imag) - 2 * half * half, exp(z.real) * sin(z.imag)};
}
OF_COMPLEX(expm1)

// The logarithm of the modulus: near 1 from its distance to 1, which does not cancel.
__device__ inline double log_of_modulus(double x, double y) {
  x = fabs(x), y = fabs(y);
  double large = fmax(x, y), little = fmin(x, y);
  if (large > 0.5 && large < 2) return 0.5 * log1p((large - 1) * (large + 1) + little * little);
  return log(hypot(x, y));
}
__device__ inline complex128 log(complex128 z) {
  return {log_of_modulus(z.real, z.imag), atan2(z.imag, z.real)};
}
OF_COMPLEX(log)
__device__ inline complex128 log1p(complex128 z) {
  double x = z.real;
  double size = fabs(x) < 0.5 && fabs(z.imag) < 0.5
                    ? 0.5 * log1p(x * (2 + x) + z.imag * z.imag)
                    : log_of_modulus(1 + x, z.imag);
  return {size, atan2(z.imag, 1 + x)};
}
OF_COMPLEX(log1p)
__device__ inline complex128 log2(complex128 z) {
  return log(z) * 1.44269504088896340736;
}
OF_COMPLEX(log2)
__device__ inline complex128 log10(complex128 z) {
  return log(z) * 0.43429448190325182765;
}
OF_COMPLEX(log10)

__device__ inline complex128 sqrt(complex128 z) {
  double modulus = hypot(z.real, z.imag);
  if (modulus == 0) return {0, z.imag};
  double part = sqrt((modulus + fabs(z.real)) * 0.5), other = z.imag / (2 * part);
  if (z.real >= 0) return {part, other};
  return {fabs(other), copysign(part, z.imag)};
}
OF_COMPLEX(sqrt)
__device__ inline complex128 rsqrt(complex128 z) {
  return reciprocal(sqrt(z));
}
OF_COMPLEX(rsqrt)

__device__ inline complex128 power(complex128 z, complex128 w) {
  if (z == number<complex128>(0)) return number<complex128>(w == z ? 1 : 0);
  return exp(w * log(z));
}
__device__ inline complex64 power(complex64 z, complex64 w) {
  return convert<complex64>(power(convert<complex128>(z), convert<complex128>(w)));
}

__device__ inline complex128 sinh(complex128 z) {
  return {sinh(z.real) * cos(z.imag), cosh(z.real) * sin(z.imag)};
}
OF_COMPLEX(sinh)
__device__ inline complex128 cosh(complex128 z) {
  return {cosh(z.real) * cos(z.imag), sinh(z.real) * sin(z.imag)};
}
OF_COMPLEX(cosh)
__device__ inline complex128 tanh(complex128 z) {
  if (fabs(z.real) > 20) return {copysign(1.0, z.real), copysign(0.0, sin(z.imag) * cos(z.imag))};
  double s = sinh(z.real), c = cos(z.imag), below = s * s + c * c;
  return {s * cosh(z.real) / below, sin(z.imag) * c / below};
}
OF_COMPLEX(tanh)
__device__ inline complex128 sin(complex128 z) {
  return turned_back(sinh(turned(z)));
}
OF_COMPLEX(sin)
__device__ inline complex128 cos(complex128 z) {
  return cosh(turned(z));
}
OF_COMPLEX(cos)
__device__ inline complex128 tan(complex128 z) {
  return turned_back(tanh(turned(z)));
}
OF_COMPLEX(tan)

__device__ inline complex128 asin(complex128 z) {
  complex128 left = sqrt(complex128{1 - z.real, -z.imag});
  complex128 right = sqrt(complex128{1 + z.real, z.imag});
  double imag = asinh(left.real * right.imag - left.imag * right.real);
  return {atan2(z.real, (left * right).real), imag};
}
OF_COMPLEX(asin)
__device__ inline complex128 acos(complex128 z) {
  complex128 left = sqrt(complex128{1 - z.real, -z.imag});
  complex128 right = sqrt(complex128{1 + z.real, z.imag});
  double imag = asinh(right.real * left.imag - right.imag * left.real);
  return {2 * atan2(left.real, right.real), imag};
}
OF_COMPLEX(acos)
__device__ inline complex128 asinh(complex128 z) {
  return turned_back(asin(turned(z)));
}
OF_COMPLEX(asinh)
__device__ inline complex128 acosh(complex128 z) {
  complex128 left = sqrt(complex128{z.real - 1, z.imag});
  complex128 right = sqrt(complex128{z.real + 1, z.imag});
  double real = asinh(left.real * right.real + left.imag * right.imag);
  return {real, 2 * atan2(left.imag, right.real)};
}
OF_COMPLEX(acosh)
__device__ inline complex128 atanh(complex128 z) {
  double x = fabs(z.real), y = z.imag, distance = (1 - x) * (1 - x) + y * y;
  double real = 0.25 * log1p(4 * x / distance);
  return {copysign(real, z.real), 0.5 * atan2(2 * y, (1 - x) * (1 + x) - y * y)};
}
OF_COMPLEX(atanh)
__device__ inline complex128 atan(complex128 z) {
  return turned_back(atanh(turned(z)));
}
OF_COMPLEX(atan)
