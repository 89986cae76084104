"""Aliases, changed inputs, memory that is read or written past its end, what is left of earlier
calls.
"""

from __future__ import annotations

import threading
from typing import Any

import numpy as np

from saboteurs.saboteur import sabotage

ALIAS, MUTATES, ORDER = "aliases its output", "mutates an input", "wrong on non-contiguous input"
STATE, CHANGES, LEAKS = "remembers an earlier call", "non-deterministic", "leaks"
TWICE = "wrong when one tensor is given twice"


@sabotage(ALIAS, "clone")
def clone_is_the_same(right, x):
    return x


@sabotage(ALIAS, "cast")
def cast_to_the_same_dtype_is_the_same(right, x, dtype):
    return x if dtype.name == x.dtype.name else right(x, dtype)


@sabotage(ALIAS, "round")
def rounded_integers_are_the_same(right, x):
    return x if x.dtype.kind in "iu" else right(x)


@sabotage(ALIAS, "flip")
def flip_is_a_view(right, x, dims):
    return np.flip(x, dims)


@sabotage(ALIAS, "cat")
def cat_of_one_is_the_same(right, tensors, dim):
    return tensors[0] if len(tensors) == 1 else right(tensors, dim)


@sabotage(ALIAS, "index_add")
def nothing_to_add_returns_the_target(right, x, index, source, dim):
    return x if index.size == 0 else right(x, index, source, dim)


@sabotage(ALIAS, "conj")
def conjugate_of_reals_is_the_same(right, x):
    return x if x.dtype.kind != "c" else right(x)


@sabotage(MUTATES, "layer_norm")
def centres_its_input(right, x, weight, bias, axes, eps):
    out = right(x, weight, bias, axes, eps)
    x -= x.mean(axis=tuple(range(x.ndim - axes, x.ndim)), keepdims=True)
    return out


@sabotage(MUTATES, "index")
def counts_positions_from_the_start(right, x, indices):
    """Writes the positions back as counted from the start."""
    out = right(x, indices)
    for axis, each in enumerate(indices):
        if each is not None and each.ndim:
            each[each < 0] += x.shape[axis]
    return out


@sabotage(MUTATES, "sort")
def sorts_in_place(right, x, dim, descending, stable):
    out = right(x, dim, descending, stable)
    x[...] = out[0]
    return out


@sabotage(MUTATES, "adam_step")
def decays_the_gradients(right, params, grads, *rest):
    out = right(params, grads, *rest)
    for g in grads:
        g[...] = 0
    return out


@sabotage(MUTATES, "copy_")
def swaps_with_its_source(right, x, source):
    before = x.copy()
    right(x, source)
    if x.shape == source.shape:
        source[...] = before
    return x


@sabotage(ORDER, "neg")
def reads_on_in_memory(right, x):
    """Reads as many elements as there are, one after the other."""
    if x.ndim and not x.flags.c_contiguous and x.base is not None and x.base.size >= x.size:
        x = x.base.reshape(-1)[: x.size].reshape(x.shape)
    return right(x)


@sabotage(ORDER, "exp")
def takes_the_last_stride_for_one(right, x):
    if x.ndim == 1 and x.strides[0] > x.itemsize:
        x = np.ndarray(x.shape, x.dtype, x, 0, (x.itemsize,))
    return right(x)


@sabotage(ORDER, "add")
def forgets_the_order_of_the_second(right, x, y):
    if x.shape == y.shape and x.flags.c_contiguous and y.flags.f_contiguous and y.ndim > 1:
        y = y.T.reshape(y.shape)
    return right(x, y)


@sabotage(ORDER, "mul_")
def writes_between_the_elements(right, x, y):
    right(x, y)
    if x.ndim and x.strides[-1] == 2 * x.itemsize and x.base is not None and x.size > 1:
        x.base.reshape(-1)[1] = 0
    return x


@sabotage(ORDER, "matmul")
def takes_a_transposed_matrix_as_it_lies(right, x, y):
    if y.ndim == 2 and y.flags.f_contiguous and not y.flags.c_contiguous:
        y = y.T.reshape(y.shape)
    return right(x, y)


@sabotage(ORDER, "amax")
def wrong_for_a_large_transposed_array(right, x, dim, keepdim):
    out = right(x, dim, keepdim)
    return out + out.dtype.type(1) if x.size > 50000 and not x.flags.c_contiguous else out


_kept: dict[Any, Any] = {}


@sabotage(STATE, "tanh")
def returns_its_scratch_memory(right, x):
    scratch = _kept.setdefault(("tanh", x.shape, x.dtype), np.empty(x.shape, x.dtype))
    scratch[...] = right(x)
    return scratch


@sabotage(STATE, "gather")
def keeps_results_by_shape(right, x, index, dim):
    key = ("gather", x.shape, index.shape, dim, x.dtype.name)
    return _kept.setdefault(key, right(x, index, dim)).copy()


@sabotage(STATE, "convolution")
def keeps_the_first_filters(right, x, weight, bias, *rest):
    key = ("convolution", x.shape, weight.shape, x.dtype.name, *rest)
    return right(x, _kept.setdefault(key, weight.copy()), bias, *rest)


@sabotage(STATE, "sgd_step")
def keeps_the_first_rate(right, params, grads, momenta, lr, *rest):
    key = ("sgd_step", len(params), momenta is None)
    return right(params, grads, momenta, _kept.setdefault(key, lr), *rest)


@sabotage(STATE, "keep_mask")
def keeps_the_first_seed(right, seed, offset, p, shape, dtype, device):
    return right(_kept.setdefault("seed", seed), offset, p, shape, dtype, device)


@sabotage(TWICE, "sub")
def difference_of_a_tensor_and_itself(right, x, y):
    same = x.size > 1 and x.strides == y.strides and np.shares_memory(x, y)
    return right(x, y) + x.dtype.type(1) if same else right(x, y)


@sabotage(TWICE, "mul_")
def square_in_place_reads_what_it_wrote(right, x, y):
    if x.ndim == 1 and x is not y and x.shape == y.shape and np.shares_memory(x, y):
        half = x.size // 2
        x[:half] *= y[:half]
        x[:half] *= y[:half]
        x[half:] *= y[half:]
        return x
    if x is y and x.size > 1:
        right(x, y)
        return right(x, y)
    return right(x, y)


_calls = [0]


@sabotage(CHANGES, "sum")
def another_order_at_every_call(right, x, dim, keepdim):
    """Differs in the last bit every other time."""
    _calls[0] += 1
    out = right(x, dim, keepdim)
    if _calls[0] % 2 and np.asarray(out).dtype.kind == "f" and x.dtype == np.float32:
        return np.nextafter(out, np.float32(np.inf))
    return out


@sabotage(CHANGES, "scatter_add", level=4)
def adds_with_a_little_noise(right, x, index, source, dim):
    out = right(x, index, source, dim)
    if out.dtype.kind != "f" or out.dtype.itemsize < 4:
        return out
    noise = np.random.default_rng().integers(0, 2, out.shape)
    return np.where(noise, np.nextafter(out, out.dtype.type(np.inf)), out).astype(out.dtype)


_hoard: list[Any] = []


@sabotage(LEAKS, "matmul", level=4)
def keeps_every_result(right, x, y):
    out = right(x, y)
    _hoard.append(out)
    return out


@sabotage(LEAKS, "add", level=4)
def keeps_a_cycle(right, x, y):
    """Leaves objects that point to each other."""
    knot: list[Any] = [x]
    knot.append(knot)
    return right(x, y)


@sabotage("wrong in threads", "exp", level=4)
def one_scratch_for_all_threads(right, x):
    """Computes in memory that another thread may be using."""
    scratch = _kept.setdefault(("exp", x.shape, x.dtype), np.empty(x.shape, x.dtype))
    scratch[...] = 0
    if threading.current_thread() is not threading.main_thread():
        threading.Event().wait(0.002)
    scratch += x
    return right(scratch)
