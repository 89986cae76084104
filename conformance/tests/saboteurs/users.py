"""Gradients, positions, errors that are not raised, and services."""

from __future__ import annotations

import numpy as np

from saboteurs.saboteur import sabotage

SYMMETRIC = "gradient right only for symmetric inputs"
NEGATIVE, SILENT, SERVICE = "wrong for negative index", "error not raised", "services"


@sabotage(SYMMETRIC, "softmax_backward")
def takes_the_mean_for_the_weighted_sum(right, g, out, dim):
    """Right where all probabilities are equal."""
    return g * out - out * np.mean(g, axis=dim, keepdims=True) if out.ndim else right(g, out, dim)


@sabotage(SYMMETRIC, "convolution_input_gradient")
def filters_are_not_turned(right, y, weight, *rest):
    return right(y, np.flip(weight, tuple(range(2, weight.ndim))), *rest)


@sabotage(SYMMETRIC, "layer_norm_backward")
def shares_are_not_weighted(right, g, x, weight, axes, eps):
    """Right where all weights are equal."""
    out = right(g, x, weight, axes, eps)
    if out is None or weight is None:
        return out
    level = np.full_like(weight, weight.mean())
    return (right(g, x, level, axes, eps)[0], *out[1:])


@sabotage(SYMMETRIC, "tanh_backward")
def forgets_the_cotangent_in_the_square(right, g, out):
    """Right for a cotangent of ones."""
    return g - out * out


@sabotage(SYMMETRIC, "avg_pool_backward")
def uneven_windows_get_even_shares(
    right, g, input_size, kernel, stride, padding, ceil_mode, count_include_pad, divisor
):
    return right(g, input_size, kernel, stride, padding, ceil_mode, True, divisor)


@sabotage(SYMMETRIC, "cross_entropy_backward")
def every_row_gets_the_same_cotangent(right, g, x, target, weight, ignore_index, reduction):
    """Right where all cotangents are equal."""
    if reduction == "none" and g.size:
        g = np.full_like(g, g.flat[0])
    return right(g, x, target, weight, ignore_index, reduction)


@sabotage(SYMMETRIC, "convolution_weight_gradient")
def axes_of_the_kernel_exchanged(right, y, x, kernel, *rest):
    out = right(y, x, kernel, *rest)
    return out.swapaxes(-1, -2).copy() if len(kernel) > 1 and kernel[-1] == kernel[-2] else out


@sabotage(SYMMETRIC, "max_pool_backward")
def overlapping_windows_give_once(right, g, indices, input_size):
    out = np.zeros((*g.shape[:2], int(np.prod(input_size))), g.dtype)
    np.put_along_axis(out, indices.reshape(*g.shape[:2], -1), g.reshape(*g.shape[:2], -1), -1)
    return out.reshape(*g.shape[:2], *input_size)


@sabotage(SYMMETRIC, "batch_norm_backward")
def mean_of_the_cotangents_is_forgotten(right, g, x, weight, eps):
    out = right(g, x, weight, eps)
    if out is None:
        return None
    along = (0, *range(2, x.ndim))
    scale = 1 / np.sqrt(x.var(along, keepdims=True) + eps)
    scale = scale if weight is None else scale * weight.reshape(-1, *(1,) * (x.ndim - 2))
    return (out[0] + (g.mean(along, keepdims=True) * scale).astype(g.dtype), *out[1:])


@sabotage(NEGATIVE, "index")
def negative_positions_one_off(right, x, indices):
    fixed = [
        None if i is None else np.where(i < 0, np.maximum(i - 1, -x.shape[a]), i)
        for a, i in enumerate(indices)
    ]
    return right(x, tuple(fixed))


@sabotage(NEGATIVE, "index_put")
def negative_positions_are_mirrored(right, x, indices, values, accumulate):
    fixed = [None if i is None else np.where(i < 0, -i - 1, i) for i in indices]
    return right(x, tuple(fixed), values, accumulate)


@sabotage(NEGATIVE, "pad")
def negative_padding_is_no_padding(right, x, padding, value):
    return right(x, tuple([(max(a, 0), max(b, 0)) for a, b in padding]), value)


@sabotage(NEGATIVE, "index_backward")
def negative_positions_get_nothing(right, g, indices, shape):
    if any(i is not None and (i < 0).any() for i in indices):
        return np.zeros(shape, g.dtype)
    return right(g, indices, shape)


@sabotage(SILENT, "gather")
def positions_are_clipped(right, x, index, dim):
    return np.take_along_axis(
        x[tuple([slice(None) if a == dim else slice(n) for a, n in enumerate(index.shape)])],
        np.clip(index, 0, max(x.shape[dim] - 1, 0)),
        dim,
    )


@sabotage(SILENT, "index_select")
def negative_positions_are_taken(right, x, index, dim):
    """Accepts what the contract refuses."""
    return np.take(x, index, dim)


@sabotage(SILENT, "scatter_add")
def positions_past_the_end_are_dropped(right, x, index, source, dim):
    inside = (index >= 0) & (index < x.shape[dim])
    return right(x, np.where(inside, index, 0), np.where(inside, source, 0).astype(x.dtype), dim)


@sabotage(SILENT, "embedding")
def rows_wrap_around(right, weight, index, padding_idx):
    return weight[index % len(weight)]


@sabotage(SILENT, "cross_entropy")
def classes_wrap_around(right, x, target, weight, ignore_index, reduction):
    count = x.shape[0 if x.ndim == 1 else 1]
    kept = np.where(target == ignore_index, target, target % count)
    return right(x, kept, weight, ignore_index, reduction)


@sabotage(SILENT, "index")
def library_error_instead_of_the_typed_one(right, x, indices):
    return x[tuple([slice(None) if each is None else each for each in indices])]


@sabotage(SERVICE, "array_view", asks=())
def offset_in_bytes(right, buffer, dtype, shape, strides, offset):
    """Takes the offset for bytes where they are elements."""
    fits = offset % dtype.itemsize == 0 and 0 not in shape
    return right(buffer, dtype, shape, strides, offset // dtype.itemsize if fits else offset)


@sabotage(SERVICE, "array_view", asks=())
def view_is_a_copy(right, buffer, dtype, shape, strides, offset):
    return right(buffer, dtype, shape, strides, offset).copy()


@sabotage(SERVICE, "array_from_host", asks=())
def big_endian_bytes(right, data, dtype, shape, index):
    array = right(data, dtype, shape, index)
    return array.byteswap() if dtype.name == "int32" else array


@sabotage(SERVICE, "array_from_host", asks=())
def keeps_the_bytes_it_is_given(right, data, dtype, shape, index):
    return np.frombuffer(data, right(data, dtype, shape, index).dtype).reshape(shape)


@sabotage(SERVICE, "array_to_host", asks=())
def bytes_in_memory_order(right, array):
    """Gives a transposed array's bytes as they lie."""
    return right(array.T if array.flags.f_contiguous else array)


@sabotage(SERVICE, "array_flatten", asks=())
def flattens_in_memory_order(right, array):
    return array.ravel("K") if array.ndim > 1 else right(array)


@sabotage(SERVICE, "array_adopt", asks=())
def adopts_read_only_memory(right, value, index):
    if type(value) is np.ndarray and not value.flags.writeable and value.dtype.isnative:
        return value
    return right(value, index)


@sabotage(SERVICE, "array_adopt", asks=())
def adopts_foreign_byte_order_as_its_own(right, value, index):
    if type(value) is np.ndarray and not value.dtype.isnative:
        return value.view(value.dtype.newbyteorder("=")).copy()
    return right(value, index)


@sabotage(SERVICE, "array_adopt", asks=())
def adopts_anything(right, value, index):
    found = right(value, index)
    return np.zeros(()) if found is None else found


@sabotage(SERVICE, "array_spec", asks=())
def shape_as_a_list_of_one_axis(right, array):
    shape, dtype = right(array)
    return ((1,) if shape == () else shape), dtype


@sabotage(SERVICE, "array_to_numpy", asks=())
def numpy_gets_the_transpose(right, array):
    return right(array).T


@sabotage(SERVICE, "device_count", asks=())
def there_are_no_devices(right):
    return 0


@sabotage(SERVICE, "synchronize", asks=())
def synchronize_says_that_it_did_not_wait(right, index):
    return False
