"""Functions of one number for use in kernels: `exp` of a float32 is computed in float32.

Polynomials and bits, without branches and calls, so that a loop around them is vectorised. NaN,
infinities and subnormal numbers come out as IEEE 754 asks; errors are below 2 units in the last
place but where a function says otherwise. The approximations are those of Cephes (S. Moshier: exp),
FreeBSD's libm (log, sin, cos) and W. J. Cody (erf: see `plugrad_numpy.special`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from llvmlite import ir
from numba import extending, types
from numba.extending import overload

from plugrad_numba.compiling import inlined
from plugrad_numpy import special

intrinsic: Any = extending.intrinsic

_f = np.float32
_i = np.int32
_l = np.int64
_INF = math.inf


def by_dtype(single: Callable[..., Any], double: Callable[..., Any]) -> Any:
    """A function for kernels that is `single` of float32 and `double` of float64."""

    def function(x):
        raise NotImplementedError("for use in compiled kernels")

    @overload(function)
    def choose(x):
        if x == types.float32:
            return lambda x: single(x)
        if x == types.float64:
            return lambda x: double(x)
        return None

    return function


@inlined
def horner(x, coefficients):
    """A polynomial; its coefficients, of x's dtype, from the highest power down."""
    out = coefficients[0]
    for each in coefficients[1:]:
        out = out * x + each
    return out


@inlined
def within(x, low, high):
    """`x` kept between two numbers; NaN stays."""
    x = low if low > x else x
    return high if high < x else x


@inlined
def copysign(size, sign):
    """`size` with the sign of `sign`."""
    return type(size)(math.copysign(size, sign))


@intrinsic
def larger(typing, x, y):
    """The larger of two floats; NaN if either is."""
    return x(x, x), partial(_extreme, "llvm.maximum")


@intrinsic
def smaller(typing, x, y):
    """The smaller of two floats; NaN if either is."""
    return x(x, x), partial(_extreme, "llvm.minimum")


def _extreme(name, context, builder, signature, values):
    # LLVM vectorises a reduction by these; by comparisons, which lose NaN, it does not.
    kind = values[0].type
    function = builder.module.declare_intrinsic(name, [kind], ir.FunctionType(kind, [kind, kind]))
    return builder.call(function, values)


# exponentials -------------------------------------------------------------------------------------

# Numba computes with int32 in int64, of which a register holds half as many: each step is cut back.

# exp(r) - 1 where |r| <= log(2)/2, and powers of two. A power is applied as a product of two, so
# that results in the subnormal range, and just below infinity, are right.

_EXP_SINGLE = tuple(
    map(
        _f,
        (
            1.9875691500e-4,
            1.3981999507e-3,
            8.3334519073e-3,
            4.1665795894e-2,
            1.6666665459e-1,
            5.0000001201e-1,
        ),
    )
)
_EXP_P = (1.26177193074810590878e-4, 3.02994407707441961300e-2, 9.99999999999999999910e-1)
_EXP_Q = (
    3.00198505138664455042e-6,
    2.52448340349684104192e-3,
    2.27265548208155028766e-1,
    2.00000000000000000005e0,
)
_LOG2_E = 1.4426950408889634
_LN2 = 0.6931471805599453


@inlined
def _rest_single(r):
    return horner(r, _EXP_SINGLE) * r * r + r


@inlined
def _rest_double(r):
    square = r * r
    p = r * horner(square, _EXP_P)
    return 2.0 * p / (horner(square, _EXP_Q) - p)


@inlined
def _reduce_single(x):
    n = np.floor(x * _f(_LOG2_E) + _f(0.5))
    n = n if n > _f(-1000) else _f(-1000)  # of NaN, which is no integer, too
    r = x - n * _f(0.693359375)
    return r - n * _f(-2.12194440e-4), _i(n)


@inlined
def _reduce_double(x):
    n = np.floor(x * _LOG2_E + 0.5)
    n = n if n > -2000.0 else -2000.0
    r = x - n * 6.93145751953125e-1
    return r - n * 1.42860682030941723212e-6, _i(n)


@inlined
def _power_single(n):
    return _i((n + _i(127)) << _i(23)).view(np.float32)


@inlined
def _power_double(n):
    return _l(_l(n + _i(1023)) << _l(52)).view(np.float64)


# Far below the last subnormal, at the lower bound, both powers are 0: a product that underflows
# would take ten times as long, and -inf, a hidden score, is common.


@inlined
def _exp_single(x):
    r, n = _reduce_single(within(x, _f(-176), _f(89)))
    half = _i(n >> _i(1))
    return (_rest_single(r) + _f(1)) * _power_single(half) * _power_single(_i(n - half))


@inlined
def _exp_double(x):
    r, n = _reduce_double(within(x, -1418.2, 710.0))
    half = _i(n >> _i(1))
    return (_rest_double(r) + 1.0) * _power_double(half) * _power_double(_i(n - half))


@inlined
def _exp2_single(x):
    x = within(x, _f(-151), _f(129))
    whole = np.floor(x + _f(0.5))
    n = _i(whole if whole > _f(-1000) else _f(-1000))
    half = _i(n >> _i(1))
    rest = _rest_single((x - whole) * _f(_LN2))
    return (rest + _f(1)) * _power_single(half) * _power_single(_i(n - half))


@inlined
def _exp2_double(x):
    x = within(x, -1076.0, 1025.0)
    whole = np.floor(x + 0.5)
    n = _i(whole if whole > -2000.0 else -2000.0)
    half = _i(n >> _i(1))
    rest = _rest_double((x - whole) * _LN2)
    return (rest + 1.0) * _power_double(half) * _power_double(_i(n - half))


@inlined
def _scaled_expm1_single(x, shift):
    """(exp(x) - 1) * 2**shift: expm1, and for shift -1 what sinh and cosh are made of."""
    r, n = _reduce_single(within(x, _f(-20), _f(90)))
    n = _i(n + shift)
    half = _i(n >> _i(1))
    power = _power_single(half)
    rest = _rest_single(r) * power + (power - _power_single(_i(_i(half - n) + shift)))
    return rest * _power_single(_i(n - half))


@inlined
def _scaled_expm1_double(x, shift):
    r, n = _reduce_double(within(x, -40.0, 711.0))
    n = _i(n + shift)
    half = _i(n >> _i(1))
    power = _power_double(half)
    rest = _rest_double(r) * power + (power - _power_double(_i(_i(half - n) + shift)))
    return rest * _power_double(_i(n - half))


@inlined
def _expm1_single(x):
    out = _scaled_expm1_single(x, _i(0))
    return out if x != 0 else x  # -0.0


@inlined
def _expm1_double(x):
    out = _scaled_expm1_double(x, _i(0))
    return out if x != 0 else x  # -0.0


@inlined
def _halved_expm1_single(x):
    return _scaled_expm1_single(x, _i(-1))


@inlined
def _halved_expm1_double(x):
    return _scaled_expm1_double(x, _i(-1))


exp = by_dtype(_exp_single, _exp_double)
exp2 = by_dtype(_exp2_single, _exp2_double)
expm1 = by_dtype(_expm1_single, _expm1_double)
#: (exp(x) - 1) / 2, finite up to twice the range of exp
halved_expm1 = by_dtype(_halved_expm1_single, _halved_expm1_double)


@inlined
def sinh(x):
    """Hyperbolic sine."""
    size = np.fabs(x)
    half = halved_expm1(size)
    finite = min(half, type(x)(1e18))
    out = copysign(half + finite / (finite + finite + type(x)(1)), x)
    return x if size < type(x)(1e-10) else out  # halves of subnormal numbers lose a bit


@inlined
def cosh(x):
    """Hyperbolic cosine."""
    half = halved_expm1(np.fabs(x))
    finite = min(half, type(x)(1e18))
    # 1 + (exp(x) - 1)² / (2 exp(x))
    return type(x)(1) + half * (finite / (finite + type(x)(0.5)))


@inlined
def tanh(x):
    """Hyperbolic tangent."""
    size = np.fabs(x)
    size = type(x)(22) if size > type(x)(22) else size
    rest = expm1(size + size)
    return copysign(rest / (rest + type(x)(2)), x)


@inlined
def sigmoid(x):
    """`1 / (1 + exp(-x))`."""
    one = type(x)(1)
    decay = exp(-np.fabs(x))
    return (decay if x < type(x)(0) else one) / (one + decay)


# logarithms ---------------------------------------------------------------------------------------

# x = 2**n (1 + f) with 1 + f between sqrt(1/2) and sqrt(2).

_LOG_SINGLE = tuple(map(_f, (0.24279078841, 0.28498786688, 0.40000972152, 0.66666662693)))
_LOG_DOUBLE = (
    1.479819860511658591e-01,
    1.531383769920937332e-01,
    1.818357216161805012e-01,
    2.222219843214978396e-01,
    2.857142874366239149e-01,
    3.999999999940941908e-01,
    6.666666666666735130e-01,
)
_ROOT_HALF_SINGLE = 0x3F3504F3
_ROOT_HALF_DOUBLE = 0x3FE6A09E667F3BCD


@inlined
def _split_single(x):
    small = x < _f(1.17549435e-38)
    x = x * _f(2**25) if small else x
    bits = _i(_f(x).view(np.int32) - _i(_ROOT_HALF_SINGLE))
    n = _i(_i(bits >> _i(23)) - (_i(25) if small else _i(0)))
    whole = _i((bits & _i(0x7FFFFF)) + _i(_ROOT_HALF_SINGLE))
    return whole.view(np.float32) - _f(1), _f(n)


@inlined
def _split_double(x):
    small = x < 2.2250738585072014e-308
    x = x * 18014398509481984.0 if small else x
    bits = np.float64(x).view(np.int64) - _l(_ROOT_HALF_DOUBLE)
    n = _i(_i(bits >> _l(52)) - (_i(54) if small else _i(0)))
    whole = _l((bits & _l(0xFFFFFFFFFFFFF)) + _l(_ROOT_HALF_DOUBLE))
    return whole.view(np.float64) - 1.0, np.float64(n)


@inlined
def _series_single(f):
    """log(1 + f) = f - this."""
    s = f / (f + _f(2))
    square = s * s
    half = _f(0.5) * f * f
    return half - s * (half + horner(square, _LOG_SINGLE) * square)


@inlined
def _series_double(f):
    s = f / (f + 2.0)
    square = s * s
    half = 0.5 * f * f
    return half - s * (half + horner(square, _LOG_DOUBLE) * square)


@inlined
def _outside(out, x):
    """What a logarithm is of 0, of negative numbers, of infinity and of NaN."""
    out = out if x > type(x)(0) else type(x)(np.nan)
    out = type(x)(-np.inf) if x == type(x)(0) else out
    return out if x < type(x)(np.inf) else (x if not x < type(x)(0) else out)


@inlined
def _log_single(x):
    f, n = _split_single(x)
    out = n * _f(9.0580006145e-06) - (_series_single(f) - f)
    return _outside(out + n * _f(6.9313812256e-01), x)


@inlined
def _log_double(x):
    f, n = _split_double(x)
    out = n * 1.90821492927058770002e-10 - (_series_double(f) - f)
    return _outside(out + n * 6.93147180369123816490e-01, x)


@inlined
def _log2_single(x):
    f, n = _split_single(x)
    return _outside(n + (f - _series_single(f)) * _f(_LOG2_E), x)


@inlined
def _log2_double(x):
    f, n = _split_double(x)
    return _outside(n + (f - _series_double(f)) * _LOG2_E, x)


@inlined
def _log10_single(x):
    f, n = _split_single(x)
    rest = (f - _series_single(f)) * _f(0.4342944819)
    return _outside(n * _f(7.9034151668e-07) + rest + n * _f(3.0102920532e-01), x)


@inlined
def _log10_double(x):
    f, n = _split_double(x)
    rest = (f - _series_double(f)) * 4.34294481903251816668e-01
    return _outside(n * 3.69423907715893078616e-13 + rest + n * 3.01029995663611771306e-01, x)


log = by_dtype(_log_single, _log_double)
log2 = by_dtype(_log2_single, _log2_double)
log10 = by_dtype(_log10_single, _log10_double)


@inlined
def log1p(x):
    """`log(1 + x)`."""
    one = type(x)(1)
    whole = one + x
    back = whole - one
    lost = (one - (whole - back)) + (x - back)  # by rounding 1 + x
    out = log(whole)
    finite = (np.fabs(out) < type(x)(np.inf)) & (x != type(x)(0))
    return (out + lost / whole) if finite else (x if x == type(x)(0) else out)


# the error function -------------------------------------------------------------------------------

_ERF_SINGLE_P = tuple(map(_f, special._SINGLE_P))
_ERF_SINGLE_Q = tuple(map(_f, special._SINGLE_Q))
_NEAR_P, _NEAR_Q = special._NEAR_P, special._NEAR_Q
_MIDDLE_P, _MIDDLE_Q = special._MIDDLE_P, special._MIDDLE_Q
_FAR_P, _FAR_Q = special._FAR_P, special._FAR_Q
_ONE_FROM = special._ONE_FROM


@inlined
def _erf_single(x):
    x = within(x, _f(-_ONE_FROM), _f(_ONE_FROM))
    square = x * x
    out = x * (horner(square, _ERF_SINGLE_P) / horner(square, _ERF_SINGLE_Q))
    return within(out, _f(-1), _f(1))


@inlined
def _erf_near(x):
    square = x * x
    return x * (horner(square, _NEAR_P) / horner(square, _NEAR_Q))


@inlined
def _erfc_tail(size):
    """erfc of numbers not below 0.46875."""
    size = 30.0 if size > 30.0 else size
    middle = 4.0 if size > 4.0 else size
    far = 4.0 if size < 4.0 else size
    inverse = 1.0 / (far * far)
    tail = inverse * (horner(inverse, _FAR_P) / horner(inverse, _FAR_Q))
    tail = (0.5641895835477563 - tail) / far
    factor = horner(middle, _MIDDLE_P) / horner(middle, _MIDDLE_Q)
    factor = tail if size > 4.0 else factor
    # The square is split in two, the first part exact, so that its rounding is not magnified.
    coarse = np.floor(size * 16.0) * 0.0625
    rest = (size - coarse) * (size + coarse)
    return _exp_double(-coarse * coarse) * _exp_double(-rest) * factor


@inlined
def _erf_double(x):
    size = np.fabs(x)
    near = _erf_near(x)  # before the choice: a branch around it would keep the loop scalar
    tail = copysign(1.0 - _erfc_tail(size), x)
    return tail if size > 0.46875 else near


@inlined
def _erfc_double(x):
    size = np.fabs(x)
    near = 1.0 - _erf_near(x)
    tail = _erfc_tail(size)
    tail = 2.0 - tail if x < 0.0 else tail
    return tail if size > 0.46875 else near


@inlined
def _erfc_single(x):
    return _f(_erfc_double(np.float64(x)))


erf = by_dtype(_erf_single, _erf_double)
erfc = by_dtype(_erfc_single, _erfc_double)
