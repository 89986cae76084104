"""Gradients kept within bounds, in place."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable

from plugrad.creation import tensor
from plugrad.errors import AutogradError
from plugrad.functions.joining import stack
from plugrad.functions.reduction import norm
from plugrad.ops.elementwise import clamp_, clamp_max, mul_
from plugrad.tape import no_grad
from plugrad.tensor import Tensor


def clip_grad_norm_(
    parameters: Tensor | Iterable[Tensor],
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """Scale all gradients down so that their norm, taken together, is at most `max_norm`; returns
    what it was.

    `foreach`, here and below, chooses among PyTorch's implementations; here there is one.
    """
    given = [parameters] if isinstance(parameters, Tensor) else list(parameters)
    total = _total_norm("clip_grad_norm_", _gradients(given), norm_type, error_if_nonfinite)
    clip_grads_with_norm_(given, max_norm, total)
    return total


def get_total_norm(
    tensors: Tensor | Iterable[Tensor],
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """The norm of all elements of all tensors."""
    given = [tensors] if isinstance(tensors, Tensor) else list(tensors)
    return _total_norm("get_total_norm", given, norm_type, error_if_nonfinite)


@no_grad()
def clip_grads_with_norm_(
    parameters: Tensor | Iterable[Tensor],
    max_norm: float,
    total_norm: Tensor,
    foreach: bool | None = None,
) -> None:
    """Scale all gradients so that a total norm that was computed before becomes at most
    `max_norm`.
    """
    # PyTorch's formula: the 1e-6 keeps the result just below the limit.
    scale = clamp_max(max_norm / (total_norm + 1e-6), 1.0)
    for grad in _gradients(parameters):
        mul_(grad, scale.to(grad.device))


@no_grad()
def clip_grad_value_(
    parameters: Tensor | Iterable[Tensor], clip_value: float, foreach: bool | None = None
) -> None:
    """Keep every element of every gradient between -clip_value and clip_value."""
    for grad in _gradients(parameters):
        clamp_(grad, -float(clip_value), float(clip_value))


def clip_grad_norm(
    parameters: Tensor | Iterable[Tensor],
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """`clip_grad_norm_` under its former name."""
    warnings.warn(
        "nn.utils.clip_grad_norm is now nn.utils.clip_grad_norm_", FutureWarning, stacklevel=2
    )
    return clip_grad_norm_(parameters, max_norm, norm_type, error_if_nonfinite)


@no_grad()
def _total_norm(name: str, tensors: list[Tensor], norm_type: float, finite: bool) -> Tensor:
    if not tensors:
        return tensor(0.0)
    norms = [norm(each, norm_type).to(tensors[0].device) for each in tensors]
    total = norm(stack(norms), norm_type)
    if finite and not math.isfinite(total.item()):
        raise AutogradError(
            f"{name}: the gradients' total norm is {total.item()}; "
            "pass error_if_nonfinite=False to scale by it all the same"
        )
    return total


def _gradients(parameters: Tensor | Iterable[Tensor]) -> list[Tensor]:
    given = [parameters] if isinstance(parameters, Tensor) else parameters
    return [each.grad for each in given if each.grad is not None]
