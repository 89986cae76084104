"""Joining and rearranging, as users call them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from plugrad import shapes
from plugrad.dtypes import int64
from plugrad.errors import ArgumentError, ShapeError
from plugrad.families import delivers
from plugrad.ops import creation, joining, views
from plugrad.ops.comparison import where

if TYPE_CHECKING:
    from plugrad.tensor import Tensor


@delivers
def cat(tensors: Sequence[Tensor], dim: int = 0, *, out: Tensor | None = None) -> Tensor:
    """Several tensors one after the other along an axis that they have."""
    given = _tensors("cat", tensors)
    # PyTorch's oldest habit: an empty vector joins anything.
    kept = [t for t in given if t.spec.shape != (0,)] or given[:1]
    if not kept[0].spec.shape:
        raise ShapeError("cat", "tensors", expected="tensors with axes", got="one without")
    return joining.cat(tuple(kept), shapes.normalize_dim(dim, len(kept[0].spec.shape), "cat"))


concat = concatenate = cat


@delivers
def stack(tensors: Sequence[Tensor], dim: int = 0, *, out: Tensor | None = None) -> Tensor:
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


@delivers
def hstack(tensors: Sequence[Tensor], *, out: Tensor | None = None) -> Tensor:
    """Side by side: along axis 1, vectors along their only one."""
    given = [t if t.ndim else t.reshape(1) for t in _tensors("hstack", tensors)]
    return cat(given, 0 if given[0].ndim == 1 else 1)


@delivers
def vstack(tensors: Sequence[Tensor], *, out: Tensor | None = None) -> Tensor:
    """One above the other, vectors as rows."""
    given = _tensors("vstack", tensors)
    return cat([t if t.ndim > 1 else t.reshape(1, t.numel()) for t in given], 0)


row_stack = vstack


@delivers
def dstack(tensors: Sequence[Tensor], *, out: Tensor | None = None) -> Tensor:
    """One behind the other: along axis 2, vectors as (1, n, 1), matrices with a last axis of 1."""
    given: list[Any] = []
    for each in _tensors("dstack", tensors):
        shape = (1, each.numel(), 1) if each.ndim < 2 else (*each.spec.shape, 1)
        given.append(each if each.ndim > 2 else each.reshape(shape))
    return cat(given, 2)


@delivers
def column_stack(tensors: Sequence[Tensor], *, out: Tensor | None = None) -> Tensor:
    """Side by side: vectors as columns, others along axis 1."""
    given = _tensors("column_stack", tensors)
    return cat([t if t.ndim > 1 else t.reshape(t.numel(), 1) for t in given], 1)


def block_diag(*tensors: Tensor) -> Tensor:
    """Matrices one below and right of the other, 0 elsewhere; a vector is one row."""
    blocks: list[Any] = []
    for each in _tensors("block_diag", tensors):
        if each.ndim > 2:
            raise ShapeError("block_diag", "tensors", expected="at most two axes", got=each.shape)
        blocks.append(each if each.ndim == 2 else each.reshape(1, each.numel()))
    width = sum([each.spec.shape[1] for each in blocks])
    rows: list[Any] = []
    before = 0
    for each in blocks:
        own = each.spec.shape[1]
        rows.append(joining.pad(each, ((0, 0), (before, width - before - own)), 0))
        before += own
    return joining.cat(tuple(rows), 0)


def flip(input: Tensor, dims: Any, *more: int) -> Tensor:
    """The elements along these axes in reverse order; a copy."""
    chosen = dims if not more and isinstance(dims, Sequence) else (dims, *more)
    return joining.flip(input, shapes.normalize_dims(chosen, len(input.shape), "flip"))


def repeat(input: Tensor, repeats: Any, *more: int) -> Tensor:
    """The whole tensor repeated along each axis; more numbers than axes put new axes in front."""
    alone = not more and isinstance(repeats, Sequence)
    counts: tuple[Any, ...] = tuple(repeats) if alone else (repeats, *more)
    counts = shapes.as_ints(counts, "repeat")
    own = input.spec.shape
    if len(counts) < len(own):
        raise ShapeError("repeat", "repeats", expected=f"at least {len(own)} numbers", got=counts)
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


@delivers
def tril(input: Tensor, diagonal: int = 0, *, out: Tensor | None = None) -> Tensor:
    """What lies on or below a diagonal; the rest 0."""
    return _triangle(input, diagonal, "tril")


@delivers
def triu(input: Tensor, diagonal: int = 0, *, out: Tensor | None = None) -> Tensor:
    """What lies on or above a diagonal; the rest 0."""
    return _triangle(input, diagonal, "triu")


def _triangle(input: Tensor, diagonal: int, name: str) -> Tensor:
    if input.ndim < 2:
        raise ShapeError(name, "input", expected="at least two axes", got=input.shape)
    rows, columns = input.shape[-2:]
    row = views.view(creation.arange(0, 1, rows, int64, input.device), (rows, 1))
    column = creation.arange(0, 1, columns, int64, input.device)
    distance = column - row
    return where(distance <= diagonal if name == "tril" else distance >= diagonal, input, False)


def _tensors(operator: str, tensors: Sequence[Tensor]) -> list[Tensor]:
    given = list(tensors)
    if not given:
        raise ArgumentError(operator, "tensors", expected="at least one tensor", got="none")
    return given
