"""Joining and rearranging, as users call them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from plugrad import shapes
from plugrad.dtypes import int64
from plugrad.errors import ArgumentError, ShapeError
from plugrad.ops import creation, joining, views
from plugrad.ops.comparison import where

if TYPE_CHECKING:
    from plugrad.tensor import Tensor


def cat(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """Several tensors one after the other along an axis that they have."""
    given = _tensors("cat", tensors)
    # PyTorch's oldest habit: an empty vector joins anything.
    kept = [t for t in given if t.spec.shape != (0,)] or given[:1]
    if not kept[0].spec.shape:
        raise ShapeError("cat", "tensors", expected="tensors with axes", got="one without")
    return joining.cat(tuple(kept), shapes.normalize_dim(dim, len(kept[0].spec.shape), "cat"))


concat = concatenate = cat


def stack(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """Several tensors of one shape along a new axis."""
    given = _tensors("stack", tensors)
    first = given[0].spec.shape
    for each in given:
        if each.spec.shape != first:
            raise ShapeError(
                "stack", "tensors", expected=f"{first} as the first", got=each.spec.shape
            )
    dim = shapes.normalize_dim(dim, len(first) + 1, "stack")
    shape = (*first[:dim], 1, *first[dim:])
    return joining.cat(tuple([views.view(views.reshape(t, first), shape) for t in given]), dim)


def hstack(tensors: Sequence[Tensor]) -> Tensor:
    """Side by side: along axis 1, vectors along their only one."""
    given = [t if t.ndim else t.reshape(1) for t in _tensors("hstack", tensors)]
    return cat(given, 0 if given[0].ndim == 1 else 1)


def vstack(tensors: Sequence[Tensor]) -> Tensor:
    """One above the other, vectors as rows."""
    given = _tensors("vstack", tensors)
    return cat([t if t.ndim > 1 else t.reshape(1, t.numel()) for t in given], 0)


def flip(input: Tensor, *dims: Any) -> Tensor:
    """The elements along these axes in reverse order; a copy."""
    chosen = dims[0] if len(dims) == 1 and isinstance(dims[0], Sequence) else dims
    return joining.flip(input, shapes.normalize_dims(chosen, len(input.shape), "flip"))


def repeat(input: Tensor, *sizes: Any) -> Tensor:
    """The whole tensor repeated along each axis; more numbers than axes put new axes in front."""
    counts = tuple(sizes[0]) if len(sizes) == 1 and isinstance(sizes[0], Sequence) else sizes
    counts = shapes.as_ints(counts, "repeat")
    own = input.spec.shape
    if len(counts) < len(own):
        raise ShapeError("repeat", "sizes", expected=f"at least {len(own)} numbers", got=counts)
    own = (1,) * (len(counts) - len(own)) + own
    spread = [size for pair in zip(counts, own, strict=True) for size in pair]
    split = [size for each in own for size in (1, each)]
    wide = views.expand(views.reshape(input, tuple(split)), tuple(spread))
    return views.reshape(
        creation.clone(wide), tuple([n * size for n, size in zip(counts, own, strict=True)])
    )


def roll(
    input: Tensor, shifts: int | Sequence[int], dims: int | Sequence[int] | None = None
) -> Tensor:
    """Elements moved along axes, those that leave coming back at the other end; without axes,
    flattened.
    """
    if dims is None:
        if not isinstance(shifts, int):
            raise ArgumentError("roll", "dims", expected="as many as shifts", got=None)
        return views.reshape(roll(input.reshape(input.numel()), shifts, 0), input.shape)
    steps = [shifts] if isinstance(shifts, int) else list(shifts)
    axes = [dims] if isinstance(dims, int) else list(dims)
    if len(steps) != len(axes):
        raise ArgumentError("roll", "dims", expected=f"{len(steps)}, as many as shifts", got=axes)
    for step, axis in zip(steps, axes, strict=True):
        dim = shapes.normalize_dim(axis, len(input.shape), "roll")
        size = input.shape[dim]
        cut = -step % size if size else 0
        parts = (views.slice_dim(input, dim, cut, size, 1), views.slice_dim(input, dim, 0, cut, 1))
        input = joining.cat(parts, dim)
    return input


def tril(input: Tensor, diagonal: int = 0) -> Tensor:
    """What lies on or below a diagonal; the rest 0."""
    return _triangle(input, diagonal, "tril")


def triu(input: Tensor, diagonal: int = 0) -> Tensor:
    """What lies on or above a diagonal; the rest 0."""
    return _triangle(input, diagonal, "triu")


def _triangle(input: Tensor, diagonal: int, name: str) -> Tensor:
    if input.ndim < 2:
        raise ShapeError(name, "input", expected="at least two axes", got=input.shape)
    rows, columns = input.shape[-2:]
    row = views.view(creation.arange(0, 1, rows, int64, input.device), (rows, 1))
    column = creation.arange(0, 1, columns, int64, input.device)
    distance = column - row
    return where(distance <= diagonal if name == "tril" else distance >= diagonal, input, 0)


def _tensors(operator: str, tensors: Sequence[Tensor]) -> list[Tensor]:
    given = list(tensors)
    if not given:
        raise ArgumentError(operator, "tensors", expected="at least one tensor", got="none")
    return given
