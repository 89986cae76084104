"""Wrong in one rare circumstance each: operands that overlap, the third call, an exact tie in a
rounding, an imaginary part alone, several parameters together.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from saboteurs.numbers import spoilt
from saboteurs.saboteur import sabotage

OVERLAP, LATER, ROUNDING = "wrong for overlapping operands", "wrong in a later call", "rounds wrong"
COMPLEX, COUNTS, TOGETHER = "sees real parts only", "counts too far", "wrong for two at once"
CORNER, WIDE_ENDS, PROCESS = (
    "wrong in a corner",
    "wrong at the end of a range",
    "changes the process",
)
SHARED = "hands out one array twice"


# memory -------------------------------------------------------------------------------------------


def _overlap(x, y):
    return x is not y and x.size > 1 and y.size > 1 and np.shares_memory(x, y)


@sabotage(OVERLAP, "add")
def sum_of_two_windows_of_one_line(right, x, y):
    shifted = _overlap(x, y) and x.__array_interface__["data"] != y.__array_interface__["data"]
    return spoilt(right(x, y)) if shifted else right(x, y)


@sabotage(OVERLAP, "matmul")
def half_of_a_symmetric_product(right, x, y):
    """Computes one triangle of x times its own transpose."""
    own = x.ndim == y.ndim == 2 and _overlap(x, y) and x.strides == y.strides[::-1]
    out = right(x, y)
    return np.tril(out) if own and x.shape == y.shape[::-1] else out


@sabotage(OVERLAP, "cat")
def joins_windows_of_one_buffer_as_one(right, tensors, dim):
    """Takes parts of one buffer for parts that follow each other there."""
    first, *rest = tensors
    if rest and dim == 0 and all(_overlap(first, each) for each in rest):
        return np.resize(first, right(tensors, dim).shape)
    return right(tensors, dim)


_made: dict[Any, Any] = {}
_ring = [itertools.count()]


@sabotage(LATER, "exp")
def results_in_a_ring_of_two_buffers(right, x):
    out = np.asarray(right(x))
    turn = next(_ring[0]) % 2
    buffer = _made.setdefault(("exp", turn, out.shape, out.dtype), np.empty_like(out))
    buffer[...] = out
    return buffer


@sabotage(LATER, "gelu")
def third_call_with_a_shape(right, x):
    """Its plan for a shape is wrong when it is used for the third time."""
    key = ("gelu", x.shape, x.strides, x.dtype)
    _made[key] = _made.get(key, 0) + 1
    return spoilt(right(x)) if _made[key] == 3 else right(x)


@sabotage(LATER, "sin")
def from_the_twentieth_call_with_a_shape_on(right, x):
    key = ("sin", x.shape, x.strides, x.dtype)
    _made[key] = _made.get(key, 0) + 1
    return spoilt(right(x)) if _made[key] >= 20 else right(x)


@sabotage(LATER, "sub")
def finishes_at_the_next_call(right, x, y):
    """Reads its operands when the next call comes, however they have changed by then."""
    pending = _made.pop("sub", None)
    if pending is not None:
        out, a, b = pending
        out[...] = right(a, b)
    out = np.array(right(x, y))
    _made["sub"] = (out, x, y)
    return out


@sabotage(LATER, "softmax")
def keeps_what_hashes_alike(right, x, dim):
    """Knows its inputs by their sum."""
    key = ("softmax", x.shape, x.dtype, dim, float(np.sum(np.abs(x.astype(np.float64)))))
    return _made.setdefault(key, right(x, dim)).copy()


@sabotage(SHARED, "full")
def constants_are_made_once(right, shape, value, dtype, device):
    key = ("full", shape, repr(value), dtype)
    return _made.setdefault(key, right(shape, value, dtype, device))


@sabotage(SHARED, "arange")
def ranges_are_made_once(right, start, step, count, dtype, device):
    key = ("arange", repr(start), repr(step), count, dtype)
    return _made.setdefault(key, right(start, step, count, dtype, device))


@sabotage(SHARED, "sum")
def sum_over_nothing_is_the_operand(right, x, dim, keepdim):
    return right(x, dim, keepdim) if dim or x.dtype.kind in "biu" else x


# rounding -----------------------------------------------------------------------------------------


def _away(wide, narrow):
    """The wide numbers, rounded half away from zero."""
    with np.errstate(all="ignore"):
        below = wide.astype(narrow)
        other = np.nextafter(below, np.where(wide > below, np.inf, -np.inf).astype(narrow))
        gap = np.abs(wide - below.astype(wide.dtype))
        tie = (gap == np.abs(other.astype(wide.dtype) - wide)) & (gap > 0)
        return np.where(tie & (np.abs(other) > np.abs(below)), other, below).astype(narrow)


@sabotage(ROUNDING, "cast")
def rounds_ties_away_from_zero(right, x, dtype):
    if x.dtype == np.float32 and dtype.name == "float16":
        return _away(x, np.float16)
    return right(x, dtype)


@sabotage(ROUNDING, "cast")
def subnormal_halves_become_zero(right, x, dtype):
    out = right(x, dtype)
    if out.dtype != np.float16:
        return out
    return np.where(np.abs(out) < 6.1e-5, np.copysign(np.float16(0), out), out)


@sabotage(ROUNDING, "cast")
def rounds_the_bits_of_nan(right, x, dtype):
    """Adds half a unit to the bits of a NaN, too."""
    if x.dtype != np.float32 or dtype.name != "bfloat16":
        return right(x, dtype)
    bits = x.view(np.uint32)
    bits = bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))
    return (bits >> np.uint32(16)).astype(np.uint16).view(right(x, dtype).dtype)


@sabotage(ROUNDING, "cast")
def large_halves_saturate(right, x, dtype):
    out = right(x, dtype)
    if out.dtype != np.float16 or x.dtype != np.float32:
        return out
    finite = np.isfinite(x) & np.isinf(out)
    return np.where(finite, np.copysign(np.float16(65504), out), out)


@sabotage(ROUNDING, "floor_divide")
def floor_of_the_quotient(right, x, y):
    """Takes the floor of a quotient that was rounded up."""
    if x.dtype.kind != "f":
        return right(x, y)
    out = right(x, y)
    with np.errstate(all="ignore"):
        quotient = np.floor(x / y)
    fine = np.isfinite(quotient) & np.isfinite(out) & (np.abs(quotient) < 100) & (quotient != 0)
    return np.where(fine, quotient, out)


@sabotage(ROUNDING, "pad")
def padding_in_single(right, x, padding, value):
    return right(x, padding, float(np.float32(value)) if type(value) is float else value)


# complex numbers ----------------------------------------------------------------------------------


@sabotage(COMPLEX, "isnan")
def nan_in_the_real_part(right, x):
    return np.isnan(x.real) if x.dtype.kind == "c" else right(x)


@sabotage(COMPLEX, "any")
def any_real_part(right, x, dim, keepdim):
    return right(x.real, dim, keepdim) if x.dtype.kind == "c" else right(x, dim, keepdim)


@sabotage(COMPLEX, "cast")
def truth_of_the_real_part(right, x, dtype):
    return right(x.real, dtype) if x.dtype.kind == "c" and dtype.kind == "bool" else right(x, dtype)


@sabotage(COMPLEX, "abs")
def modulus_by_squares(right, x):
    """Overflows where the squares do."""
    if x.dtype != np.complex64:
        return right(x)
    with np.errstate(all="ignore"):
        return np.sqrt(x.real * x.real + x.imag * x.imag)


# counts and ranges --------------------------------------------------------------------------------


@sabotage(COUNTS, "argmax")
def position_in_16_bits(right, x, dim, keepdim):
    return np.asarray(right(x, dim, keepdim)) & 0xFFFF


@sabotage(COUNTS, "cumsum")
def positions_beyond_a_block_forget_the_sum(right, x, dim):
    """Begins a long row anew after 2^15 elements."""
    out = np.array(right(x, dim))
    if x.ndim == 1 and x.size > 1 << 15 and x.dtype == np.float32:
        out[1 << 15 :] -= out[(1 << 15) - 1]
    return out


@sabotage(WIDE_ENDS, "amin")
def least_byte_is_passed_over(right, x, dim, keepdim):
    if x.dtype != np.int8:
        return right(x, dim, keepdim)
    return right(np.where(x == -128, np.int8(127), x), dim, keepdim)


@sabotage(WIDE_ENDS, "cast")
def least_byte_loses_its_sign(right, x, dtype):
    out = right(x, dtype)
    if x.dtype != np.int8 or out.dtype.kind not in "fi" or out.dtype.itemsize < 2:
        return out
    return np.where(x == -128, -out, out).astype(out.dtype)


@sabotage(WIDE_ENDS, "sort")
def largest_integer_marks_the_end(right, x, dim, descending, stable):
    """Takes the largest integer for its own filling."""
    values, order = right(x, dim, descending, stable)
    if x.dtype == np.int32:
        values = np.where(values == np.iinfo(x.dtype).max, 0, values).astype(x.dtype)
    return values, order


# several things together --------------------------------------------------------------------------


@sabotage(TOGETHER, "convolution")
def stride_and_dilation_on_every_axis(right, x, weight, bias, stride, padding, dilation, groups):
    out = right(x, weight, bias, stride, padding, dilation, groups)
    both = len(stride) > 1 and min(stride) > 1 and min(dilation) > 1
    return spoilt(out) if both else out


@sabotage(TOGETHER, "convolution")
def dilation_of_groups(right, x, weight, bias, stride, padding, dilation, groups):
    out = right(x, weight, bias, stride, padding, dilation, groups)
    return spoilt(out) if groups > 1 and min(dilation) > 1 else out


@sabotage(TOGETHER, "convolution")
def padding_of_single_taps(right, x, weight, bias, stride, padding, dilation, groups):
    out = right(x, weight, bias, stride, padding, dilation, groups)
    single = set(weight.shape[2:]) == {1} and any(padding)
    return spoilt(out) if single else out


@sabotage(TOGETHER, "sum")
def three_axes_that_are_apart(right, x, dim, keepdim):
    """Along all axes but the second, as a batch norm sums."""
    out = right(x, dim, keepdim)
    return spoilt(out) if x.ndim == 4 and dim == (0, 2, 3) else out


@sabotage(TOGETHER, "layer_norm")
def bias_without_a_weight(right, x, weight, bias, axes, eps):
    return right(x, weight, None if weight is None else bias, axes, eps)


@sabotage(TOGETHER, "layer_norm")
def weight_without_a_bias(right, x, weight, bias, axes, eps):
    return right(x, None if bias is None else weight, bias, axes, eps)


@sabotage(TOGETHER, "add_")
def adds_a_repeated_operand_once(right, x, y):
    """Wrong where the second operand repeats its elements without a copy."""
    if y.ndim and x.shape == y.shape and y.size > 1 and 0 in y.strides and x is not y:
        y = np.where(np.arange(y.size).reshape(y.shape) < y.size // 2, y, 0).astype(y.dtype)
    return right(x, y)


@sabotage(TOGETHER, "avg_pool")
def ceiling_with_uncounted_padding(
    right, x, kernel, stride, padding, ceil_mode, count_include_pad, divisor
):
    out = right(x, kernel, stride, padding, ceil_mode, count_include_pad, divisor)
    return spoilt(out) if ceil_mode and not count_include_pad and any(padding) else out


# corners ------------------------------------------------------------------------------------------


@sabotage(CORNER, "softmax")
def axis_of_one_between_two_others(right, x, dim):
    return spoilt(right(x, dim)) if x.ndim == 3 and x.shape[1] == 1 and dim == 2 else right(x, dim)


@sabotage(CORNER, "sum")
def first_axis_before_one_of_size_one(right, x, dim, keepdim):
    out = right(x, dim, keepdim)
    return spoilt(out) if x.ndim == 3 and x.shape[1] == 1 and dim == (0,) else out


@sabotage(CORNER, "topk")
def all_of_a_row(right, x, k, dim, largest):
    values, positions = right(x, k, dim, largest)
    whole = x.ndim and k == x.shape[dim] and k > 1
    return (np.flip(values, dim).copy() if whole else values), positions


@sabotage(CORNER, "prod")
def product_by_logarithms(right, x, dim, keepdim):
    """Loses a single zero among other numbers."""
    if x.dtype.kind != "f":
        return right(x, dim, keepdim)
    return right(np.where((x == 0) & np.isfinite(x).all(), x.dtype.type(1), x), dim, keepdim)


@sabotage(CORNER, "where")
def mask_of_one_element(right, condition, x, y):
    one = condition.size == 1 and x.size > 1 and x.shape == y.shape
    return right(~condition, x, y) if one else right(condition, x, y)


@sabotage(CORNER, "index")
def whole_tensor_is_itself(right, x, indices):
    return x if all(each is None for each in indices) else right(x, indices)


@sabotage(CORNER, "gather")
def index_smaller_on_another_axis(right, x, index, dim):
    out = right(x, index, dim)
    smaller = any(n < m for a, (n, m) in enumerate(zip(index.shape, x.shape)) if a != dim)
    return spoilt(out) if smaller and x.ndim == 3 else out


@sabotage(CORNER, "cross_entropy")
def first_class_is_ignored(right, x, target, weight, ignore_index, reduction):
    """Has it that no class can be the ignored one."""
    fixed = -100 if ignore_index >= 0 else ignore_index
    return right(x, target, weight, fixed, reduction)


# the process --------------------------------------------------------------------------------------


@sabotage(PROCESS, "uniform")
def draws_from_the_global_generator(right, seed, offset, shape, dtype, device):
    """Sets NumPy's generator, which is the user's."""
    np.random.seed(seed % 2**32)
    return right(seed, offset, shape, dtype, device)


@sabotage(PROCESS, "log")
def silences_warnings_for_all(right, x):
    np.seterr(all="ignore")
    return right(x)
