"""The methods that write into their tensor, one line each. Those that have an operator of their own
are that; the others are made from the function without the underscore.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from plugrad import random, variates
from plugrad.functions import (
    collecting,
    indexing,
    linalg,
    numbers,
    rearranging,
    scans,
    special,
    statistics,
    views,
)
from plugrad.functions import elementwise as functions
from plugrad.functions import joining as moving
from plugrad.functions.in_place import relayout, writing
from plugrad.ops import activation, comparison, creation, elementwise, incomplete_gamma
from plugrad.ops import numbers as parts
from plugrad.ops import special as gamma
from plugrad.value import Value

if TYPE_CHECKING:
    from plugrad.tensor import Tensor


def polygamma(input: Tensor, n: int) -> Tensor:
    """`special.polygamma`, the tensor first."""
    return special.polygamma(n, input)


class InPlaceMethods(Value):
    """Tensor's in-place operators; see those without the underscore."""

    __slots__ = ()

    # operators
    __iadd__ = elementwise.add_
    __isub__ = elementwise.sub_
    __imul__ = elementwise.mul_
    __itruediv__ = elementwise.div_
    __ifloordiv__ = elementwise.floor_divide_
    __imod__ = elementwise.remainder_
    __ipow__ = elementwise.pow_
    __iand__ = comparison.bitwise_and_
    __ior__ = comparison.bitwise_or_
    __ixor__ = comparison.bitwise_xor_
    __ilshift__ = writing(comparison.bitwise_left_shift)
    __irshift__ = writing(comparison.bitwise_right_shift)

    # arithmetic
    add_ = functions.add_
    sub_ = subtract_ = functions.sub_
    mul_ = multiply_ = elementwise.mul_
    div_ = divide_ = true_divide_ = functions.div_
    floor_divide_ = elementwise.floor_divide_
    remainder_ = elementwise.remainder_
    fmod_ = writing(elementwise.fmod)
    pow_ = functions.pow_
    float_power_ = functions.float_power_
    neg_ = negative_ = elementwise.neg_
    abs_ = absolute_ = elementwise.abs_
    sign_ = writing(elementwise.sign)
    sgn_ = writing(elementwise.sgn)
    square_ = elementwise.square_
    sqrt_ = elementwise.sqrt_
    rsqrt_ = elementwise.rsqrt_
    reciprocal_ = elementwise.reciprocal_
    clamp_ = clip_ = functions.clamp_
    clamp_min_ = elementwise.clamp_min_
    clamp_max_ = elementwise.clamp_max_
    lerp_ = functions.lerp_
    addcmul_ = functions.addcmul_
    addcdiv_ = functions.addcdiv_
    relu_ = writing(activation.relu)

    # exponentials, angles
    exp_ = elementwise.exp_
    exp2_ = writing(elementwise.exp2)
    expm1_ = writing(elementwise.expm1)
    log_ = elementwise.log_
    log2_ = writing(elementwise.log2)
    log10_ = writing(elementwise.log10)
    log1p_ = writing(elementwise.log1p)
    sin_ = writing(elementwise.sin)
    cos_ = writing(elementwise.cos)
    tan_ = writing(elementwise.tan)
    asin_ = arcsin_ = writing(elementwise.asin)
    acos_ = arccos_ = writing(elementwise.acos)
    atan_ = arctan_ = writing(elementwise.atan)
    atan2_ = arctan2_ = writing(elementwise.atan2)
    hypot_ = writing(elementwise.hypot)
    sinh_ = writing(elementwise.sinh)
    cosh_ = writing(elementwise.cosh)
    tanh_ = elementwise.tanh_
    asinh_ = arcsinh_ = writing(elementwise.asinh)
    acosh_ = arccosh_ = writing(elementwise.acosh)
    atanh_ = arctanh_ = writing(elementwise.atanh)
    sigmoid_ = elementwise.sigmoid_
    logit_ = writing(special.logit)
    xlogy_ = writing(special.xlogy)
    sinc_ = writing(special.sinc)
    deg2rad_ = writing(numbers.deg2rad)
    rad2deg_ = writing(numbers.rad2deg)

    # special functions
    erf_ = writing(elementwise.erf)
    erfc_ = writing(elementwise.erfc)
    erfinv_ = writing(gamma.erfinv)
    lgamma_ = writing(gamma.lgamma)
    igamma_ = writing(incomplete_gamma.igamma)
    igammac_ = writing(incomplete_gamma.igammac)
    digamma_ = writing(gamma.digamma)
    mvlgamma_ = writing(special.multigammaln)
    i0_ = writing(special.i0)

    # rounding, parts of numbers
    floor_ = elementwise.floor_
    ceil_ = elementwise.ceil_
    trunc_ = fix_ = elementwise.trunc_
    round_ = functions.round_
    frac_ = writing(numbers.frac)
    copysign_ = writing(numbers.copysign)
    ldexp_ = writing(numbers.ldexp)
    nextafter_ = writing(parts.nextafter)
    gcd_ = writing(numbers.gcd)
    lcm_ = writing(numbers.lcm)
    heaviside_ = writing(numbers.heaviside)
    nan_to_num_ = writing(numbers.nan_to_num)
    conj_physical_ = writing(elementwise.conj)

    polygamma_ = writing(polygamma)

    # comparisons, logic, bits
    eq_ = writing(comparison.eq)
    ne_ = not_equal_ = writing(comparison.ne)
    lt_ = less_ = writing(comparison.lt)
    le_ = less_equal_ = writing(comparison.le)
    gt_ = greater_ = writing(comparison.gt)
    ge_ = greater_equal_ = writing(comparison.ge)
    logical_not_ = comparison.logical_not_
    logical_and_ = writing(comparison.logical_and)
    logical_or_ = writing(comparison.logical_or)
    logical_xor_ = writing(comparison.logical_xor)
    bitwise_not_ = writing(comparison.bitwise_not)
    bitwise_and_ = comparison.bitwise_and_
    bitwise_or_ = comparison.bitwise_or_
    bitwise_xor_ = comparison.bitwise_xor_
    bitwise_left_shift_ = writing(comparison.bitwise_left_shift)
    bitwise_right_shift_ = writing(comparison.bitwise_right_shift)

    # scans, triangles
    cumsum_ = writing(scans.cumsum)
    cumprod_ = writing(scans.cumprod)
    tril_ = writing(moving.tril)
    triu_ = writing(moving.triu)

    # memory and chance
    copy_ = creation.copy_
    fill_ = creation.fill_
    zero_ = creation.zero_
    uniform_ = random.uniform_
    normal_ = random.normal_
    bernoulli_ = random.bernoulli_
    exponential_ = variates.exponential_
    geometric_ = variates.geometric_
    cauchy_ = variates.cauchy_
    log_normal_ = variates.log_normal_
    random_ = variates.random_

    # products
    addmm_ = writing(linalg.addmm)
    addmv_ = writing(linalg.addmv)
    addr_ = writing(linalg.addr)
    addbmm_ = writing(linalg.addbmm)
    baddbmm_ = writing(linalg.baddbmm)

    # shapes
    squeeze_ = relayout(views.squeeze)
    unsqueeze_ = relayout(views.unsqueeze)
    transpose_ = swapdims_ = relayout(views.transpose)
    swapaxes_ = relayout(views.swapaxes)
    t_ = relayout(views.t)
    as_strided_ = relayout(views.as_strided)

    # indexing
    scatter_ = indexing.scatter_
    scatter_add_ = indexing.scatter_add_
    index_add_ = indexing.index_add_
    index_copy_ = indexing.index_copy_
    index_fill_ = indexing.index_fill_
    index_put_ = indexing.index_put_
    masked_fill_ = indexing.masked_fill_
    fill_diagonal_ = rearranging.fill_diagonal_
    scatter_reduce_ = writing(collecting.scatter_reduce)
    index_reduce_ = writing(collecting.index_reduce)
    masked_scatter_ = writing(collecting.masked_scatter)
    put_ = writing(collecting.put)
    renorm_ = writing(statistics.renorm)
