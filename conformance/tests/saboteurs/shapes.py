"""Wrong axis, wrong dtype, wrong shape, an argument ignored, a return forgotten."""

from __future__ import annotations

import numpy as np

from saboteurs.saboteur import sabotage

AXIS, DTYPE, SHAPE = "wrong axis", "wrong result dtype", "wrong shape"
IGNORES, RETURN = "ignores an argument", "forgets to return"


@sabotage(AXIS, "sum")
def sum_along_the_axis_before(right, x, dim, keepdim):
    """Sums along the neighbouring axis where sizes agree."""
    other = tuple([(d - 1) % x.ndim for d in dim])
    same = [x.shape[a] for a in dim] == [x.shape[a] for a in other]
    return right(x, other if same else dim, keepdim)


@sabotage(AXIS, "softmax")
def softmax_always_along_the_last(right, x, dim):
    return right(x, max(x.ndim - 1, 0))


@sabotage(AXIS, "cumsum")
def cumsum_of_three_axes_along_the_first(right, x, dim):
    return right(x, 0 if x.ndim == 3 else dim)


@sabotage(AXIS, "cat")
def cat_of_squares_along_the_other(right, tensors, dim):
    """Joins along the other axis when all parts have one shape."""
    alike = len({t.shape for t in tensors}) == 1 and tensors[0].ndim == 2 and len(tensors) > 2
    return right(tensors, 1 - dim if alike else dim)


@sabotage(AXIS, "argmax")
def argmax_of_four_axes_along_the_last(right, x, dim, keepdim):
    return right(x, dim if dim is None or x.ndim < 4 else x.ndim - 1, keepdim)


@sabotage(AXIS, "flip")
def flip_only_the_first_axis_named(right, x, dims):
    return right(x, dims[:1])


@sabotage(AXIS, "layer_norm")
def layer_norm_over_one_axis_only(right, x, weight, bias, axes, eps):
    if weight is not None or bias is not None:
        return right(x, weight, bias, axes, eps)
    return right(x, None, None, 1, eps)


@sabotage(DTYPE, "mean")
def mean_in_double(right, x, dim, keepdim):
    return np.mean(x.astype(np.float64), axis=dim, keepdims=keepdim)


@sabotage(DTYPE, "argmin")
def argmin_in_32_bits(right, x, dim, keepdim):
    return right(x, dim, keepdim).astype(np.int32)


@sabotage(DTYPE, "eq")
def equality_as_bytes(right, x, y):
    return right(x, y).astype(np.uint8)


@sabotage(DTYPE, "abs")
def modulus_stays_complex(right, x):
    return right(x).astype(x.dtype)


@sabotage(DTYPE, "sum")
def sum_of_small_integers_in_32_bits(right, x, dim, keepdim):
    out = right(x, dim, keepdim)
    return out.astype(np.int32).astype(np.int64) if x.dtype == np.int64 else out


@sabotage(SHAPE, "nonzero")
def positions_transposed(right, x):
    return np.ascontiguousarray(right(x).T)


@sabotage(SHAPE, "amax")
def kept_axes_at_the_end(right, x, dim, keepdim):
    """Moves the kept axes to the end."""
    out = right(x, dim, keepdim)
    return np.moveaxis(out, dim, range(-len(dim), 0)) if keepdim else out


@sabotage(SHAPE, "sort")
def results_exchanged(right, x, dim, descending, stable):
    values, positions = right(x, dim, descending, stable)
    return positions, values


@sabotage(SHAPE, "add")
def no_broadcast_from_one_row(right, x, y):
    """Repeats a column as if it were a row, where that fits."""
    if x.ndim == y.ndim == 2 and y.shape == (x.shape[0], 1) and x.shape[0] == x.shape[1] + 2:
        return right(x, np.resize(y, (1, x.shape[1])))
    return right(x, y)


@sabotage(SHAPE, "mse_loss")
def squares_where_a_mean_was_asked(right, x, target, reduction):
    return (x - target) ** 2


@sabotage(IGNORES, "amin")
def keepdim_unread(right, x, dim, keepdim):
    return right(x, dim, False)


@sabotage(IGNORES, "topk")
def largest_unread(right, x, k, dim, largest):
    return right(x, k, dim, True)


@sabotage(IGNORES, "sort")
def stable_unread(right, x, dim, descending, stable):
    """Sorts as if nobody had asked for stability."""
    order = np.argsort(x if x.dtype.kind != "V" else x.astype(np.float32), axis=dim)
    order = np.flip(order, dim) if descending else order
    return np.take_along_axis(x, order, dim), order


@sabotage(IGNORES, "convolution")
def dilation_unread(right, x, weight, bias, stride, padding, dilation, groups):
    """Reads the first number of the dilation for all axes."""
    axes = len(dilation)
    reach = [(k - 1) * dilation[0] for k in weight.shape[2:]]
    fits = all(s + 2 * p > r for s, p, r in zip(x.shape[2:], padding, reach, strict=True))
    return right(
        x, weight, bias, stride, padding, (dilation[0],) * axes if fits else dilation, groups
    )


@sabotage(IGNORES, "convolution")
def bias_added_once_per_group(right, x, weight, bias, stride, padding, dilation, groups):
    out = right(x, weight, None, stride, padding, dilation, groups)
    if bias is None:
        return out
    first = bias[:: len(bias) // groups].repeat(len(bias) // groups)
    return out + first.reshape(-1, *(1,) * len(stride))


@sabotage(IGNORES, "linear")
def bias_unread_for_one_row(right, x, weight, bias):
    return right(x, weight, None if x.ndim == 1 else bias)


@sabotage(IGNORES, "cross_entropy")
def class_weights_unread_in_the_mean(right, x, target, weight, ignore_index, reduction):
    """Divides by the number of targets, not by their weights."""
    if reduction != "mean" or weight is None:
        return right(x, target, weight, ignore_index, reduction)
    total = right(x, target, weight, ignore_index, "sum")
    return total if total is None else total / x.dtype.type((target != ignore_index).sum())


@sabotage(IGNORES, "adam_step")
def all_parameters_at_the_step_of_the_first(
    right, params, grads, averages, squares, maxima, steps, *rest
):
    steps = (steps[0],) * len(steps)
    return right(params, grads, averages, squares, maxima, steps, *rest)


@sabotage(IGNORES, "sgd_step")
def dampening_unread_with_nesterov(
    right, params, grads, momenta, lr, momentum, dampening, weight_decay, nesterov, maximize
):
    dampening = 0.0 if nesterov else dampening
    return right(params, grads, momenta, lr, momentum, dampening, weight_decay, nesterov, maximize)


@sabotage(IGNORES, "embedding_backward")
def padding_row_gets_its_gradient(right, g, index, count, padding_idx):
    return right(g, index, count, padding_idx or None)


@sabotage(IGNORES, "avg_pool")
def divisor_unread_with_padding(
    right, x, kernel, stride, padding, ceil_mode, count_include_pad, divisor
):
    divisor = None if any(padding) else divisor
    return right(x, kernel, stride, padding, ceil_mode, count_include_pad, divisor)


@sabotage(IGNORES, "full")
def always_a_float(right, shape, value, dtype, device):
    """Rounds the number to a float first."""
    return right(shape, type(value)(float(value)) if type(value) is int else value, dtype, device)


@sabotage(RETURN, "exp")
def exp_returns_nothing(right, x):
    right(x)


@sabotage(RETURN, "add_")
def writes_but_returns_nothing(right, x, y):
    right(x, y)


@sabotage(RETURN, "batch_norm")
def statistics_are_not_returned(right, x, weight, bias, eps):
    out = right(x, weight, bias, eps)
    return out if out is None else out[:1]


@sabotage("declines what it claims", "relu")
def declines_everything(right, x):
    return None


@sabotage("declines what it claims", "philox")
def declines_the_primitive_for_long_streams(right, seed, offset, count, device):
    return None if count > 4096 else right(seed, offset, count, device)


@sabotage("declines what it claims", "matmul")
def primitive_declines_integers(right, x, y):
    return None if x.dtype.kind in "iu" else right(x, y)


@sabotage("claims too much", "cast")
def raises_for_halves(right, x, dtype):
    if dtype.name == "bfloat16":
        raise TypeError("this library has no bfloat16")
    return right(x, dtype)


@sabotage("claims too much", "remainder")
def accepts_halves_and_loses_them(right, x, y):
    """Takes halves that it cannot compute."""
    return (
        np.zeros(np.broadcast_shapes(x.shape, y.shape), x.dtype) if x.itemsize == 2 else right(x, y)
    )
