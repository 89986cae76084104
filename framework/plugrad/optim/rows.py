"""Sparse gradients: an optimizer's step on the rows that have one, the others untouched."""

from __future__ import annotations

from typing import Any

from plugrad.errors import ArgumentError
from plugrad.functions.indexing import index_copy_, index_select
from plugrad.optim.optimizer import Group
from plugrad.tensor import Tensor


def with_sparse_gradients(operator: str, group: Group, *refused: str) -> list[Tensor]:
    """The parameters of a group whose gradients are sparse; an error if there are some, and one of
    the refused options is set.
    """
    found = [each for each in group["params"] if each.grad is not None and each.grad.is_sparse]
    for option in refused:
        if found and group[option]:
            raise ArgumentError(
                operator, option, expected="0 where a gradient is sparse", got=group[option]
            )
    return found


class Rows:
    """The rows of a parameter that its sparse gradient names, and of dense tensors of its shape:
    `taken` are copies to be changed, `grad` the gradient's own.
    """

    def __init__(self, param: Tensor, *others: Tensor) -> None:
        gradient: Any = param.grad
        if gradient.sparse_dim() != 1:
            raise ArgumentError(
                *("optimizer", "grad"),
                expected="a gradient of whole rows",
                got=f"one with {gradient.sparse_dim()} sparse axes",
            )
        gradient = gradient.coalesce()
        self.grad = gradient.values()
        self._places = gradient.indices()[0]
        self._whole = (param.detach(), *[each.detach() for each in others])
        self.taken = [index_select(each, 0, self._places) for each in self._whole]

    def put_back(self) -> None:
        """Write the rows where they came from."""
        for whole, rows in zip(self._whole, self.taken, strict=True):
            index_copy_(whole, 0, self._places, rows)
