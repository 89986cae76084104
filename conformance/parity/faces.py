"""The faces of an operator: function, method, in-place method, `out=`, and all these again under
its other names. The first face gets every call, the others a few: they are the same operator.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, final

import torch

import plugrad

from .calls import Call, Manner
from .manners import manner_of
from .samples import Operator
from .sides import function_of, torch_has

FEW = 2


@final
@dataclass(frozen=True)
class Face:
    """A name, and the calls by which it is compared."""

    name: str
    calls: list[Call]
    manner: Manner
    out: bool = False

    @property
    def theirs(self) -> Any:
        """PyTorch's function."""
        return self._with_out(torch)

    @property
    def ours(self) -> Any:
        """plugrad's function, or MISSING."""
        return self._with_out(plugrad)

    def _with_out(self, root: Any) -> Any:
        function = function_of(root, self.name)
        return writing_to_out(root, function) if self.out and callable(function) else function


def writing_to_out(root: Any, function: Any) -> Any:
    """The function writing its result to tensors given as `out`, which it must return."""

    def write(*args: Any, **kwargs: Any) -> Any:
        found = function(*args, **kwargs)
        many = isinstance(found, list | tuple)
        out = tuple([root.zeros_like(each) for each in found]) if many else root.zeros_like(found)
        returned = function(*args, **kwargs, out=out)
        for a, b in zip(returned, out, strict=True) if many else [(returned, out)]:
            if a is not b:
                raise ValueError("what it returns is not what was given as out")
        return out

    return write


def faces(operator: Operator) -> Iterator[Face]:
    """All faces of one operator, in one of its overloads."""
    names = [operator.name, *operator.aliases]
    first = next((n for n in (names[0], f"Tensor.{names[0]}") if torch_has(n)), None)
    if first is None:
        return
    manner = manner_of(operator.name)
    every = [*operator.calls(), *operator.bad_calls(), *operator.calls_in_wrong_dtypes()]
    yield Face(first, every, manner)
    few = list(operator.few_calls(FEW))
    plain = Manner(manner.values, gradients=False, slack=manner.slack, gauge=manner.gauge)
    spellings = [
        n for name in names for n in (name, f"Tensor.{name}", f"Tensor.{name}_", f"{name}_")
    ]
    for name in spellings:
        if name != first and torch_has(name):
            yield Face(name, few, plain)
    if operator.info.supports_out and not first.startswith("Tensor."):
        yield Face(first, few, plain, out=True)
