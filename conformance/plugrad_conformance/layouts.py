"""Layouts: the same elements in another order of memory. Each says how to store an array, and how
to look at it.

What a layout leaves between the elements is filled with their values plus one, so that a kernel
that reads past the strides gives a wrong answer rather than a lucky one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from plugrad import ops

Stored = np.ndarray[Any, Any]


@final
@dataclass(frozen=True, slots=True)
class Layout:
    """`fits` says for which shapes there is such a layout. `store` gives the array to make a tensor
    of, `look` the view of that tensor with a given shape, `text` the same as a program writes it.
    `value` is what the view holds: the array, but for `expanded`, which repeats its first part.
    """

    name: str
    fits: Callable[[tuple[int, ...]], bool]
    store: Callable[[Stored], Stored]
    look: Callable[[Any, tuple[int, ...]], Any]
    text: Callable[[tuple[int, ...]], str]
    value: Callable[[Stored], Stored] = lambda array: array


def _other(array: Stored) -> Stored:
    if array.dtype.kind == "b":
        return ~array
    return (array + np.ones((), array.dtype)).astype(array.dtype)


def _with_gaps(array: Stored) -> Stored:
    return np.stack([array, _other(array)], axis=-1).reshape(*array.shape[:-1], -1)


LAYOUTS = (
    Layout(
        "transposed",
        lambda shape: len(shape) > 1,
        lambda array: np.ascontiguousarray(array.T),
        lambda tensor, shape: ops.views.permute(tensor, tuple(reversed(range(len(shape))))),
        lambda shape: f".permute{tuple(reversed(range(len(shape))))}",
    ),
    Layout(
        "strided",
        lambda shape: len(shape) > 0 and 0 not in shape,
        _with_gaps,
        lambda tensor, shape: ops.views.slice_dim(tensor, len(shape) - 1, 0, 2 * shape[-1], 2),
        lambda shape: "[..., ::2]",
    ),
    Layout(
        "offset",
        lambda shape: len(shape) > 0 and 0 not in shape,
        lambda array: np.concatenate([_other(array[:1]), array]),
        lambda tensor, shape: ops.views.slice_dim(tensor, 0, 1, shape[0] + 1, 1),
        lambda shape: "[1:]",
    ),
    Layout(
        "chosen",
        lambda shape: not shape,
        lambda array: np.stack([_other(array), array]),
        lambda tensor, shape: ops.views.select(tensor, 0, 1),
        lambda shape: "[1]",
    ),
    Layout(
        "flipped",
        lambda shape: len(shape) > 0 and 0 not in shape,
        lambda array: np.ascontiguousarray(np.flip(array, 0)),
        lambda tensor, shape: ops.joining.flip(tensor, (0,)),
        lambda shape: ".flip(0)",
    ),
    Layout(
        "expanded",
        lambda shape: len(shape) > 0 and shape[0] > 1,
        lambda array: np.ascontiguousarray(array[:1]),
        lambda tensor, shape: ops.views.expand(tensor, shape),
        lambda shape: f".expand{shape}",
        lambda array: np.ascontiguousarray(np.broadcast_to(array[:1], array.shape)),
    ),
)
