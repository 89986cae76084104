"""Gradients kept within bounds, in place."""

from __future__ import annotations

import math
from collections.abc import Iterable

from plugrad.creation import tensor
from plugrad.errors import AutogradError
from plugrad.functions.joining import stack
from plugrad.functions.reduction import norm
from plugrad.ops.elementwise import clamp_, clamp_max, mul_
from plugrad.tape import no_grad
from plugrad.tensor import Tensor


@no_grad()
def clip_grad_norm_(
    parameters: Tensor | Iterable[Tensor],
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
) -> Tensor:
    """Scale all gradients down so that their norm, taken together, is at most `max_norm`; returns
    what it was.
    """
    grads = _gradients(parameters)
    if not grads:
        return tensor(0.0)
    norms = [norm(grad, norm_type).to(grads[0].device) for grad in grads]
    total = norm(stack(norms), norm_type)
    if error_if_nonfinite and not math.isfinite(total.item()):
        raise AutogradError(
            f"clip_grad_norm_: the gradients' total norm is {total.item()}; "
            "pass error_if_nonfinite=False to scale by it all the same"
        )
    # PyTorch's formula: the 1e-6 keeps the result just below the limit.
    scale = clamp_max(max_norm / (total + 1e-6), 1.0)
    for grad in grads:
        mul_(grad, scale.to(grad.device))
    return total


@no_grad()
def clip_grad_value_(parameters: Tensor | Iterable[Tensor], clip_value: float) -> None:
    """Keep every element of every gradient between -clip_value and clip_value."""
    for grad in _gradients(parameters):
        clamp_(grad, -float(clip_value), float(clip_value))


def _gradients(parameters: Tensor | Iterable[Tensor]) -> list[Tensor]:
    given = [parameters] if isinstance(parameters, Tensor) else parameters
    return [each.grad for each in given if each.grad is not None]
