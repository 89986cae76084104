"""What it means that two results agree: kind, length, dtype, shape, values, shared memory.

Values agree within a number of units in the last place, of the element and of the largest element
(1 at least): the kit holds plugrad against float64, here the question is the meaning.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, final

import numpy as np
import torch

import plugrad

from .sides import DTYPES, array_of, storage_of

What = Literal[
    "accepted", "refused", "kind", "dtype", "shape", "values", "memory", "gradient", "keywords"
]

UNITS = 256
UNITS_OF_HALVES = 8  # of which there are only about a thousand


@final
@dataclass(frozen=True)
class Disagreement:
    """One point in which the two sides differ."""

    what: What
    detail: str

    def __str__(self) -> str:
        return f"{self.what}: {self.detail}"


def leaves(tree: Any) -> Iterator[Any]:
    """The tensors in a result or an argument, in order."""
    if isinstance(tree, torch.Tensor | plugrad.Tensor):
        yield tree
    elif isinstance(tree, dict):
        for each in tree.values():
            yield from leaves(each)
    elif isinstance(tree, list | tuple) or hasattr(tree, "_fields"):
        for each in tree:
            yield from leaves(each)


def compare(
    theirs: Any, ours: Any, *, values: bool = True, slack: float = 1.0, where: str = "result"
) -> Iterator[Disagreement]:
    """How plugrad's result differs from PyTorch's; without `values` in all but the numbers."""
    if isinstance(theirs, torch.Tensor):
        if not isinstance(ours, plugrad.Tensor):
            yield Disagreement("kind", f"{where}: expected a tensor, got {type(ours).__name__}")
            return
        yield from _compare_tensors(theirs, ours, values, slack, where)
    elif isinstance(theirs, dict):
        if not isinstance(ours, dict) or list(theirs) != list(ours):
            got = list(ours) if isinstance(ours, dict) else type(ours).__name__
            yield Disagreement("kind", f"{where}: expected the keys {list(theirs)}, got {got}")
            return
        for key in theirs:
            yield from compare(
                theirs[key], ours[key], values=values, slack=slack, where=f"{where}[{key!r}]"
            )
    elif isinstance(theirs, list | tuple):
        if not isinstance(ours, list | tuple) or len(ours) != len(theirs):
            got = len(ours) if isinstance(ours, list | tuple) else type(ours).__name__
            yield Disagreement("kind", f"{where}: expected {len(theirs)} results, got {got}")
            return
        # The fields of what PyTorch returns from its compiled part are descriptors of the class.
        names = [name for name in vars(type(theirs)) if not name.startswith(("_", "n_"))]
        if type(theirs).__module__ == "torch.return_types":
            lacking = [name for name in names if not hasattr(ours, name)]
            if lacking:
                yield Disagreement(
                    "kind", f"{where}: expected the fields {names}, lacking {lacking}"
                )
        for i, (a, b) in enumerate(zip(theirs, ours, strict=True)):
            yield from compare(a, b, values=values, slack=slack, where=f"{where}[{i}]")
    elif isinstance(theirs, torch.dtype):
        if DTYPES.get(theirs) is not ours:
            yield Disagreement("values", f"{where}: expected {theirs}, got {ours}")
    elif isinstance(theirs, bool | int | float | complex | str | None):
        if isinstance(ours, plugrad.Tensor) or type(theirs) is not type(ours):
            yield Disagreement(
                "kind", f"{where}: expected {type(theirs).__name__}, got {type(ours).__name__}"
            )
        elif values and not _same_number(theirs, ours):
            yield Disagreement("values", f"{where}: expected {theirs!r}, got {ours!r}")


def _same_number(theirs: Any, ours: Any) -> bool:
    if not isinstance(theirs, float | complex):
        return theirs == ours
    both_nan = theirs != theirs and ours != ours
    return both_nan or theirs == ours or abs(theirs - ours) <= 1e-5 * abs(theirs)


def _compare_tensors(
    theirs: torch.Tensor, ours: Any, values: bool, slack: float, where: str
) -> Iterator[Disagreement]:
    if DTYPES.get(theirs.dtype) is not ours.dtype:
        yield Disagreement("dtype", f"{where}: expected {theirs.dtype}, got {ours.dtype}")
        return
    if tuple(theirs.shape) != tuple(ours.shape):
        yield Disagreement(
            "shape", f"{where}: expected {tuple(theirs.shape)}, got {tuple(ours.shape)}"
        )
        return
    if values and theirs.device.type != "meta":
        found = _far_apart(array_of(theirs), array_of(ours), theirs.dtype, slack)
        if found:
            yield Disagreement("values", f"{where}: {found}")


def _far_apart(a: Any, b: Any, dtype: torch.dtype, slack: float) -> str:
    """Where the arrays differ most, or nothing if they agree."""
    if not dtype.is_floating_point and not dtype.is_complex:
        wrong = a != b
    else:
        units = UNITS_OF_HALVES if dtype.itemsize == 2 else UNITS
        eps = torch.finfo(dtype).eps * units * slack
        if dtype.is_complex:
            parts = [_apart(a.real, b.real, a, eps), _apart(a.imag, b.imag, a, eps)]
            wrong = parts[0] | parts[1]
        else:
            wrong = _apart(a, b, a, eps)
    if not np.any(wrong):
        return ""
    place = tuple(int(i) for i in np.argwhere(wrong)[0])
    at = f" at {place}" if place else ""
    return f"expected {a[place]}, got {b[place]}{at} ({int(np.sum(wrong))} of {a.size} differ)"


def _apart(a: Any, b: Any, whole: Any, eps: float) -> Any:
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    size = np.abs(whole)
    scale = max(1.0, float(np.max(size[np.isfinite(size)], initial=0)))
    with np.errstate(invalid="ignore", over="ignore"):
        near = np.abs(a - b) <= eps * scale
    return ~(near | (a == b) | (np.isnan(a) & np.isnan(b)))


def compare_memory(
    results: tuple[Sequence[Any], Sequence[Any]], operands: tuple[Sequence[Any], Sequence[Any]]
) -> Iterator[Disagreement]:
    """Whether plugrad's results share memory with its operands where PyTorch's do, and lie there in
    the same way.
    """
    for i, (theirs, ours) in enumerate(zip(*results, strict=True)):
        if not theirs.numel():
            continue
        for k, (a, b) in enumerate(zip(*operands, strict=True)):
            wanted = storage_of(theirs) == storage_of(a)
            if wanted is not (storage_of(ours) == storage_of(b)):
                expected = "a view of" if wanted else "memory apart from"
                yield Disagreement("memory", f"result {i}: expected {expected} operand {k}")
            elif wanted and _strides(theirs) != _strides(ours):
                yield Disagreement(
                    "memory", f"result {i}: expected strides {theirs.stride()}, got {ours.stride()}"
                )


def _strides(tensor: Any) -> list[int]:
    """Of the axes along which there is more than one element: the others' strides say nothing."""
    return [s for n, s in zip(tensor.shape, tensor.stride(), strict=True) if n > 1]
