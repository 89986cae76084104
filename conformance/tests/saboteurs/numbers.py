"""Wrong numbers: at special values, for some sizes, by rounding, with ties, beyond 2^53."""

from __future__ import annotations

import numpy as np

from saboteurs.saboteur import sabotage

NAN, ZERO, ULP = "NaN handling", "sign of zero", "off by a few units"
HALF, TIES, WIDE = "accumulates in half", "wrong only with ties", "wrong only beyond 2^53"
OVERFLOW, EMPTY, LARGE = "overflow", "wrong at size 0", "wrong at size > 2^16"
RANKS, DTYPE = "wrong for some shapes", "wrong for one dtype"
STREAM = "RNG stream shifted"


def spoilt(out, by=1):
    """The result with its last element wrong."""
    out = np.array(out)
    if out.size:
        out.flat[-1] += out.dtype.type(by)
    return out


# NaN, infinities, zeros ---------------------------------------------------------------------------


@sabotage(NAN, "maximum")
def maximum_drops_nan(right, x, y):
    return np.fmax(x, y)


@sabotage(NAN, "relu")
def relu_of_nan_is_zero(right, x):
    return np.where(x > 0, x, x.dtype.type(0))


@sabotage(NAN, "amax")
def largest_of_a_long_row_drops_nan(right, x, dim, keepdim):
    if x.dtype == np.float32 and x.shape[-1:] > (1000,):
        return np.fmax.reduce(x, axis=dim, keepdims=keepdim)
    return right(x, dim, keepdim)


@sabotage(NAN, "sort")
def nan_sorts_first(right, x, dim, descending, stable):
    if x.dtype.kind != "f":
        return right(x, dim, descending, stable)
    keys = np.where(np.isnan(x), -np.inf, x)
    _, order = right(keys, dim, descending, stable)
    return np.take_along_axis(x, order, dim), order


@sabotage(NAN, "argmax")
def position_of_the_largest_skips_nan(right, x, dim, keepdim):
    if x.dtype.kind == "f":
        x = np.where(np.isnan(x), -np.inf, x)
    return right(x, dim, keepdim)


@sabotage(NAN, "where")
def chooses_by_arithmetic(right, condition, x, y):
    """Multiplies by the mask, so that what is not chosen leaves its NaN."""
    if x.dtype.kind != "f" or x.dtype != np.float32:
        return right(condition, x, y)
    mask = condition.astype(x.dtype)
    return x * mask + y * (1 - mask)


@sabotage(NAN, "max_pool")
def windows_skip_nan(right, x, kernel, stride, padding, dilation, ceil_mode):
    if x.dtype == np.float32:
        x = np.where(np.isnan(x), x.dtype.type(-np.inf), x)
    return right(x, kernel, stride, padding, dilation, ceil_mode)


@sabotage(NAN, "isnan")
def quick_test_for_nan(right, x):
    """Takes infinities for NaN."""
    return right(x) if x.dtype.kind != "f" else (x - x) != 0


@sabotage(NAN, "matmul")
def skips_products_with_zero(right, x, y):
    """Leaves out terms whose first factor is 0, and with them the NaN of 0 times infinity."""
    if x.dtype != np.float32 or x.ndim != 2 or y.ndim != 2:
        return right(x, y)
    terms = np.where(x[:, :, None] == 0, x.dtype.type(0), x[:, :, None] * y[None])
    return np.add.reduce(terms, 1)


@sabotage(NAN, "softmax")
def rows_of_minus_infinity_become_zero(right, x, dim):
    out = right(x, dim)
    return np.where(np.isnan(out), out.dtype.type(0), out)


@sabotage(NAN, "remainder")
def infinite_divisor_gives_nan(right, x, y):
    if x.dtype.kind != "f" or x.itemsize < 4:
        return right(x, y)
    return x - y * np.floor(x / y)


@sabotage(NAN, "mul")
def subnormal_numbers_become_zero(right, x, y):
    out = right(x, y)
    if out.dtype != np.float32:
        return out
    return np.where(np.abs(out) < np.finfo(out.dtype).smallest_normal, out * 0, out)


@sabotage(NAN, "clone")
def copies_through_arithmetic(right, x):
    """Adds 0, which loses the sign of zero."""
    return x + x.dtype.type(0) if x.dtype.kind == "f" else right(x)


@sabotage(ZERO, "neg")
def zero_minus_x(right, x):
    return 0 - x if x.dtype.kind == "f" and x.itemsize > 2 else right(x)


@sabotage(ZERO, "round")
def rounds_by_adding(right, x):
    """Adds and takes away a large number, which loses the sign of zero."""
    if x.dtype != np.float64:
        return right(x)
    return np.where(np.abs(x) < 2.0**51, (x + 2.0**52) - 2.0**52, x)


@sabotage(ZERO, "full")
def fills_with_zeros(right, shape, value, dtype, device):
    """Takes the fast way for -0 too."""
    return right(shape, 0.0 if value == 0 and type(value) is float else value, dtype, device)


@sabotage(ZERO, "copy_")
def copies_zeros_without_sign(right, x, source):
    right(x, source)
    if x.dtype.kind == "f":
        x += x.dtype.type(0)
    return x


# rounding -----------------------------------------------------------------------------------------


@sabotage(ULP, "sqrt")
def root_by_powers(right, x):
    """Three units off."""
    out = right(x)
    return out if out.dtype.kind != "f" else out * out.dtype.type(1 + 3 * _eps(out))


@sabotage(ULP, "exp")
def exponential_six_units_off(right, x):
    out = np.asarray(right(x))
    return out if out.dtype != np.float32 else out * out.dtype.type(1 + 6 * _eps(out))


@sabotage(ULP, "div")
def division_by_reciprocal(right, x, y):
    """Multiplies by a reciprocal rounded to fewer bits."""
    if x.dtype != np.float32:
        return right(x, y)
    return x * ((1 / y).view(np.uint32) & np.uint32(0xFFFFFFF0)).view(np.float32)


@sabotage(ULP, "tanh")
def polynomial_for_small_numbers(right, x):
    """Loses digits near 0."""
    if x.dtype != np.float64:
        return right(x)
    return np.where(np.abs(x) < 0.3, x - x**3 / 3 + 2 * x**5 / 15 - 17 * x**7 / 315, np.tanh(x))


@sabotage(ULP, "expm1")
def exponential_minus_one(right, x):
    return np.exp(x) - x.dtype.type(1)


@sabotage(ULP, "log1p")
def logarithm_of_one_plus(right, x):
    return np.log(x + x.dtype.type(1)) if x.dtype.kind == "f" else right(x)


@sabotage(ULP, "var")
def variance_by_squares(right, x, dim, correction, keepdim):
    """The mean of the squares less the square of the mean."""
    if x.dtype != np.float32:
        return right(x, dim, correction, keepdim)
    count = np.prod([x.shape[d] for d in dim])
    square = np.mean(x * x, axis=dim, keepdims=keepdim)
    mean = np.mean(x, axis=dim, keepdims=keepdim)
    return (square - mean * mean) * np.float32(count / max(count - correction, 1e-30))


@sabotage(ULP, "matmul")
def factors_of_ten_bits(right, x, y):
    """Rounds the factors as tensor cores do."""
    if x.dtype != np.float32:
        return right(x, y)
    return right(_ten_bits(x), _ten_bits(y))


@sabotage(ULP, "convolution")
def filters_of_ten_bits(right, x, weight, *rest):
    return right(x, _ten_bits(weight) if weight.dtype == np.float32 else weight, *rest)


@sabotage(ULP, "cumsum")
def running_sum_in_single(right, x, dim):
    return (
        right(x.astype(np.float32), dim).astype(x.dtype) if x.dtype == np.float64 else right(x, dim)
    )


@sabotage(ULP, "erf")
def error_function_of_seven_digits(right, x):
    """Abramowitz and Stegun's 7.1.26."""
    if x.dtype != np.float32:
        return right(x)
    t = 1 / (1 + 0.3275911 * np.abs(x))
    series = t * (
        0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429)))
    )
    return np.copysign(1 - series * np.exp(-x * x), x).astype(x.dtype)


@sabotage(ULP, "softmax")
def without_the_largest_taken_off(right, x, dim):
    if x.dtype.kind != "f" or x.itemsize < 4 or not x.ndim:
        return right(x, dim)
    with np.errstate(all="ignore"):
        raised = np.exp(x)
        return raised / np.sum(raised, dim, keepdims=True)


@sabotage(ULP, "layer_norm")
def eps_outside_the_root(right, x, weight, bias, axes, eps):
    """Adds eps to the standard deviation."""
    if x.dtype != np.float64:
        return right(x, weight, bias, axes, eps)
    along = tuple(range(x.ndim - axes, x.ndim))
    centred = x - x.mean(along, keepdims=True)
    out = centred / (np.sqrt((centred**2).mean(along, keepdims=True)) + eps)
    out = out if weight is None else out * weight
    return out if bias is None else out + bias


def _eps(x):
    return float(np.finfo(x.dtype).eps)


def _ten_bits(x):
    return (x.view(np.uint32) + np.uint32(0x1000) & np.uint32(0xFFFFE000)).view(np.float32)


# sums in half precision ---------------------------------------------------------------------------


def _one_by_one(x, axis):
    out = np.zeros(np.delete(x.shape, axis), x.dtype)
    for each in np.moveaxis(x, axis, 0):
        out = (out + each).astype(x.dtype)
    return out


def _half(x):
    return x.dtype.itemsize == 2 and x.dtype.kind not in "iu"


@sabotage(HALF, "sum")
def half_sum(right, x, dim, keepdim):
    if not _half(x) or len(dim) != 1 or keepdim:
        return right(x, dim, keepdim)
    return _one_by_one(x, dim[0])


@sabotage(HALF, "matmul")
def half_product_of_vectors(right, x, y):
    return _one_by_one(x * y, 0) if _half(x) and x.ndim == y.ndim == 1 else right(x, y)


@sabotage(HALF, "matmul")
def half_product_of_batches(right, x, y):
    if not _half(x) or x.ndim < 3 or y.ndim < 3:
        return right(x, y)
    return _one_by_one(x[..., :, :, None] * y[..., None, :, :], x.ndim - 1)


@sabotage(HALF, "cumsum")
def half_running_sum(right, x, dim):
    if not _half(x) or x.ndim != 1:
        return right(x, dim)
    out, total = np.empty_like(x), x.dtype.type(0)
    for i, each in enumerate(x):
        out[i] = total = (total + each).astype(x.dtype)
    return out


@sabotage(HALF, "index_add")
def half_additions_at_positions(right, x, index, source, dim):
    if not _half(x) or dim:
        return right(x, index, source, dim)
    out = x.copy()
    for i, each in zip(index, source, strict=True):
        out[i] = out[i] + each
    return out


@sabotage(HALF, "avg_pool")
def half_average(right, x, kernel, *rest):
    if not _half(x) or kernel != x.shape[2:]:
        return right(x, kernel, *rest)
    total = _one_by_one(x.reshape(*x.shape[:2], -1), 2)
    return (
        (total / x.dtype.type(np.prod(kernel)))
        .astype(x.dtype)
        .reshape(*x.shape[:2], *(1,) * len(kernel))
    )


# ties, integers, overflow -------------------------------------------------------------------------


@sabotage(TIES, "argmax")
def last_of_equal_elements(right, x, dim, keepdim):
    if dim is None or not x.ndim:
        return right(x, dim, keepdim)
    return x.shape[dim] - 1 - right(np.flip(x, dim), dim, keepdim)


@sabotage(TIES, "sort")
def descending_reverses_equal_elements(right, x, dim, descending, stable):
    values, order = right(x, dim, False, stable)
    if not descending:
        return values, order
    return np.flip(values, dim).copy(), np.flip(order, dim).copy()


@sabotage(TIES, "max_pool")
def last_of_equal_elements_in_a_window(right, x, kernel, stride, padding, dilation, ceil_mode):
    values, places = right(x, kernel, stride, padding, dilation, ceil_mode)
    if x.ndim != 3 or dilation != (1,):
        return values, places
    places = places.copy()
    for at in np.ndindex(*values.shape):
        start = at[2] * stride[0] - padding[0]
        for i in range(max(start, 0), min(start + kernel[0], x.shape[2])):
            if x[at[0], at[1], i] == values[at]:
                places[at] = i
    return values, places


@sabotage(TIES, "index_put")
def repeated_positions_count_once(right, x, indices, values, accumulate):
    if not accumulate or any(each is None for each in indices):
        return right(x, indices, values, accumulate)
    out = x.copy()
    out[indices] += values
    return out


@sabotage(TIES, "embedding_backward")
def only_the_last_use_of_a_row_counts(right, g, index, count, padding_idx):
    out = np.zeros((count, *g.shape[index.ndim :]), g.dtype)
    out[index] = g
    if padding_idx is not None:
        out[padding_idx] = 0
    return out


@sabotage(TIES, "relu_backward")
def gradient_at_zero(right, g, out):
    return np.where(out >= 0, g, g.dtype.type(0))


@sabotage(WIDE, "eq")
def compares_integers_as_floats(right, x, y):
    return x.astype(np.float64) == y.astype(np.float64) if x.dtype == np.int64 else right(x, y)


@sabotage(WIDE, "sum")
def adds_integers_as_floats(right, x, dim, keepdim):
    if x.dtype != np.int64:
        return right(x, dim, keepdim)
    total = np.sum(x.astype(np.float64), axis=dim, keepdims=keepdim)
    with np.errstate(all="ignore"):
        return np.asarray(total).astype(np.int64)


@sabotage(WIDE, "matmul")
def multiplies_integers_as_floats(right, x, y):
    if x.dtype != np.int64:
        return right(x, y)
    with np.errstate(all="ignore"):
        return np.asarray(right(x.astype(np.float64), y.astype(np.float64))).astype(np.int64)


@sabotage(WIDE, "sort")
def sorts_integers_as_floats(right, x, dim, descending, stable):
    keys = x.astype(np.float64) if x.dtype == np.int64 else x
    _, order = right(keys, dim, descending, stable)
    return np.take_along_axis(x, order, dim), order


@sabotage(WIDE, "arange")
def counts_in_floats(right, start, step, count, dtype, device):
    if dtype.kind != "int":
        return right(start, step, count, dtype, device)
    return (float(start) + float(step) * np.arange(count)).astype(dtype.name)


@sabotage(WIDE, "cast")
def casts_by_way_of_floats(right, x, dtype):
    if x.dtype != np.int64 or dtype.kind != "int":
        return right(x, dtype)
    with np.errstate(all="ignore"):
        return right(x.astype(np.float64), dtype)


@sabotage(OVERFLOW, "add")
def integers_saturate(right, x, y):
    if x.dtype.kind not in "iu":
        return right(x, y)
    ends = np.iinfo(x.dtype)
    total = x.astype(object) + y.astype(object)
    return np.clip(total, ends.min, ends.max).astype(x.dtype)


@sabotage(OVERFLOW, "abs")
def modulus_of_the_least_integer(right, x):
    """Is the largest integer rather than the least again."""
    out = right(x)
    return (
        np.where(out < 0, np.iinfo(x.dtype).max, out).astype(x.dtype)
        if x.dtype.kind == "i"
        else out
    )


@sabotage(OVERFLOW, "floor_divide")
def integers_round_towards_zero(right, x, y):
    return right(x, y) if x.dtype.kind != "i" else np.trunc(x / y).astype(x.dtype)


@sabotage(OVERFLOW, "remainder")
def remainder_has_the_sign_of_the_first(right, x, y):
    return np.fmod(x, y) if x.dtype == np.int32 else right(x, y)


@sabotage(OVERFLOW, "sigmoid")
def sigmoid_of_large_negative_numbers(right, x):
    """exp(x) / (1 + exp(x)), which overflows for large positive ones."""
    if x.dtype != np.float32:
        return right(x)
    with np.errstate(all="ignore"):
        return np.exp(x) / (1 + np.exp(x))


# sizes and shapes ---------------------------------------------------------------------------------


@sabotage(EMPTY, "prod")
def product_of_nothing_is_zero(right, x, dim, keepdim):
    return right(x, dim, keepdim) * 0 if x.size == 0 else right(x, dim, keepdim)


@sabotage(EMPTY, "matmul")
def product_over_nothing_is_left_as_it_was(right, x, y):
    out = np.asarray(right(x, y))
    return np.full(out.shape, 7, out.dtype) if out.size and not x.size else out


@sabotage(EMPTY, "cat")
def empty_parts_are_dropped(right, tensors, dim):
    """And with them the shape, where nothing is left."""
    return right(tuple([t for t in tensors if t.size]), dim)


@sabotage(EMPTY, "all")
def all_of_nothing_is_false(right, x, dim, keepdim):
    return right(x, dim, keepdim) if x.size else np.zeros_like(right(x, dim, keepdim))


@sabotage(LARGE, "add")
def last_element_of_a_large_array(right, x, y):
    return spoilt(right(x, y)) if max(x.size, y.size) > 1 << 16 else right(x, y)


@sabotage(LARGE, "log")
def tail_of_a_block(right, x):
    """The last elements, where the number is no multiple of 64, of a large array."""
    out = right(x)
    if x.size > 1 << 16 and x.size % 64:
        out = np.array(out)
        out.reshape(-1)[-(x.size % 64) :] = 0
    return out


@sabotage(LARGE, "sum")
def seam_between_two_blocks(right, x, dim, keepdim):
    out = right(x, dim, keepdim)
    return spoilt(out, 64) if x.size > 1 << 16 and x.ndim == 1 else out


@sabotage(LARGE, "softmax")
def long_rows(right, x, dim):
    return spoilt(right(x, dim)) if x.ndim and x.shape[dim] > 512 else right(x, dim)


@sabotage(LARGE, "adam_step")
def second_block_of_a_parameter(right, params, *rest):
    out = right(params, *rest)
    for p in params:
        if p.size > 1 << 14:
            p.reshape(-1)[1 << 14] += 1
    return out


@sabotage(LARGE, "convolution")
def last_column_of_a_wide_image(right, x, *rest):
    out = np.array(right(x, *rest))
    if x.shape[-1] > 512:
        out[..., -1] = 0
    return out


@sabotage(LARGE, "where")
def mask_of_a_large_array(right, condition, x, y):
    large = condition.size > 1 << 16 and condition.shape == x.shape
    return right(~condition if large else condition, x, y)


@sabotage(RANKS, "mul")
def five_axes(right, x, y):
    return spoilt(right(x, y)) if max(x.ndim, y.ndim) > 4 else right(x, y)


@sabotage(RANKS, "sub")
def column_minus_row(right, x, y):
    outer = x.ndim == y.ndim == 2 and x.shape[1] == 1 == y.shape[0]
    return right(y, x) if outer else right(x, y)


@sabotage(RANKS, "argmin")
def axis_of_size_one(right, x, dim, keepdim):
    out = right(x, dim, keepdim)
    return np.asarray(out) + 1 if dim is not None and x.ndim and x.shape[dim] == 1 else out


@sabotage(RANKS, "linear")
def single_output(right, x, weight, bias):
    out = right(x, weight, bias)
    return spoilt(out) if out is not None and weight.shape[0] == 1 else out


@sabotage(DTYPE, "maximum")
def unsigned_compared_as_signed(right, x, y):
    if x.dtype != np.uint8:
        return right(x, y)
    return np.maximum(x.view(np.int8), y.view(np.int8)).view(np.uint8)


@sabotage(DTYPE, "mul")
def complex_halves_exchanged(right, x, y):
    out = right(x, y)
    return out if out.dtype != np.complex64 else (out.imag + 1j * out.real).astype(out.dtype)


@sabotage(DTYPE, "logical_and")
def and_of_bits(right, x, y):
    """Ands the bits of integers, which may have none in common."""
    return (x & y) != 0 if x.dtype.kind in "iu" else right(x, y)


# random streams -----------------------------------------------------------------------------------


@sabotage(STREAM, "philox")
def stream_starts_a_word_late(right, seed, offset, count, device):
    return right(seed, offset, count + 4, device)[1 : count + 1]


@sabotage(STREAM, "philox")
def seed_of_32_bits(right, seed, offset, count, device):
    return right(seed & 0xFFFFFFFF, offset, count, device)


@sabotage(STREAM, "philox")
def counter_of_32_bits(right, seed, offset, count, device):
    return right(seed, (offset // 4 & 0xFFFFFFFF) * 4, count, device)


@sabotage(STREAM, "philox")
def words_of_signed_32_bits(right, seed, offset, count, device):
    return right(seed, offset, count, device).astype(np.int32).astype(np.int64)


@sabotage(STREAM, "uniform")
def uniform_of_one_word_fewer_bits(right, seed, offset, shape, dtype, device):
    out = right(seed, offset, shape, dtype, device)
    return out.astype(np.float32).astype(out.dtype) if out.dtype == np.float64 else out


@sabotage(STREAM, "randint")
def other_word_first(right, seed, offset, low, high, shape, dtype, device):
    """Numbers from half as many words."""
    out = right(seed, offset, low, high, shape, dtype, device)
    return (out - low) % max((high - low) // 2, 1) + low


@sabotage(STREAM, "keep_mask")
def keeps_with_probability_p(right, seed, offset, p, shape, dtype, device):
    """Keeps what should go."""
    return right(seed, offset, 1 - p if 0 < p < 1 else p, shape, dtype, device)


@sabotage(STREAM, "normal")
def sine_for_cosine(right, seed, offset, shape, dtype, device):
    return right(seed, offset + 4 if shape else offset, shape, dtype, device)
