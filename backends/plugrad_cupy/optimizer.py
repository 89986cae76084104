"""Optimizer steps: all parameters of one dtype together, two dozen to a launch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from plugrad.hooks import kernel
from plugrad_cupy import modules
from plugrad_cupy.arrays import index_of
from plugrad_cupy.devices import enter
from plugrad_cupy.modules import CTYPES, blocks_for
from plugrad_cupy.strided import contiguous

_TENSORS = 24  # as in sources/optimizer.cu
_SGD = f"{3 * _TENSORS}P{_TENSORS}q4d2i"
_ADAM = f"{5 * _TENSORS}P{_TENSORS}q{2 * _TENSORS}d5d2i"
_RMSPROP = f"{5 * _TENSORS}P{_TENSORS}q5d2i"
_ADAGRAD = f"{3 * _TENSORS}P{_TENSORS}q{_TENSORS}d2d2i"
_BLOCK = (256, 1, 1)

Row = tuple[Any, ...]  # one parameter, its gradient and its state; None for what there is not


@kernel
def sgd_step(params, grads, momenta, lr, momentum, dampening, weight_decay, nesterov, maximize):
    rows = _rows(params, grads, momenta)
    if rows is None:
        return None
    for group in _groups(rows):
        fields = *_fields([row for _, row in group]), lr, momentum, dampening, weight_decay
        _launch("sgd_step", _SGD, group, *fields, nesterov, maximize)
    return params, momenta


@kernel
def adam_step(
    params,
    grads,
    averages,
    squares,
    maxima,
    steps,
    lr,
    beta1,
    beta2,
    eps,
    weight_decay,
    decoupled,
    maximize,
):
    rows = _rows(params, grads, averages, squares, maxima)
    if rows is None:
        return None
    shrink = 1 - lr * weight_decay if decoupled else 1.0
    added = 0.0 if decoupled else weight_decay
    for group in _groups(rows):
        rates = [lr / (1 - beta1 ** steps[i]) for i, _ in group]
        roots = [(1 - beta2 ** steps[i]) ** 0.5 for i, _ in group]
        fields = *_fields([row for _, row in group]), *_filled(rates), *_filled(roots)
        _launch("adam_step", _ADAM, group, *fields, shrink, added, beta1, beta2, eps, maximize, 0)
    return params, averages, squares, maxima


@kernel
def rmsprop_step(
    params, grads, squares, averages, momenta, lr, alpha, eps, weight_decay, momentum, maximize
):
    rows = _rows(params, grads, squares, averages, momenta)
    if rows is None:
        return None
    numbers = lr, alpha, eps, weight_decay, momentum
    for group in _groups(rows):
        fields = *_fields([row for _, row in group]), *numbers
        _launch("rmsprop_step", _RMSPROP, group, *fields, maximize, 0)
    return params, squares, averages, momenta


@kernel
def adagrad_step(params, grads, sums, steps, lr, lr_decay, eps, weight_decay, maximize):
    rows = _rows(params, grads, sums)
    if rows is None:
        return None
    for group in _groups(rows):
        rates = [lr / (1 + (steps[i] - 1) * lr_decay) for i, _ in group]
        fields = *_fields([row for _, row in group]), *_filled(rates)
        _launch("adagrad_step", _ADAGRAD, group, *fields, eps, weight_decay, maximize, 0)
    return params, sums


def _rows(params: Sequence[Any], grads: Sequence[Any], *states: Any) -> list[Row] | None:
    """Parameter by parameter what belongs together; None where memory is not in C order."""
    kept = [state or (None,) * len(params) for state in states]
    written = [x for each in (params, *kept) for x in each if x is not None]
    if not all([x.flags.c_contiguous for x in written]):
        return None
    return list(zip(params, map(contiguous, grads), *kept, strict=True))


def _groups(rows: list[Row]) -> Iterator[list[tuple[int, Row]]]:
    """Rows of one dtype with their places, as many as fit a launch; those without elements left
    out.
    """
    for dtype in {row[0].dtype: None for row in rows}:
        of_dtype = [(i, row) for i, row in enumerate(rows) if row[0].dtype == dtype and row[0].size]
        for start in range(0, len(of_dtype), _TENSORS):
            yield of_dtype[start : start + _TENSORS]


def _fields(rows: list[Row]) -> list[int]:
    """Addresses, column by column, and sizes."""
    columns = zip(*rows, strict=True)
    addresses = [_filled([0 if x is None else x.data.ptr for x in column]) for column in columns]
    return [n for column in (*addresses, _filled([row[0].size for row in rows])) for n in column]


def _filled(values: list[Any]) -> list[Any]:
    return [*values, *[0] * (_TENSORS - len(values))]


def _launch(name: str, layout: str, group: list[tuple[int, Row]], *fields: Any) -> None:
    first = group[0][1][0]
    enter(index_of(first))
    largest = max([row[0].size for _, row in group])
    run = modules.kernel("optimizer.cu", name, (CTYPES[first.dtype],), layout)
    run((blocks_for(largest, 4 * _BLOCK[0]), len(group), 1), _BLOCK, *fields)
