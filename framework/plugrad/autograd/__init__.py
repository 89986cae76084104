"""Gradients on demand: `backward` and `grad`, recording modes, one's own functions, their check."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from plugrad import reverse
from plugrad.autograd import forward_ad as forward_ad
from plugrad.autograd import functional as functional
from plugrad.autograd.function import Function as Function
from plugrad.autograd.function import FunctionCtx as FunctionCtx
from plugrad.autograd.function import once_differentiable as once_differentiable
from plugrad.autograd.gradcheck import gradcheck as gradcheck
from plugrad.autograd.gradcheck import gradgradcheck as gradgradcheck
from plugrad.errors import ArgumentError, AutogradError
from plugrad.errors import GradcheckError as GradcheckError
from plugrad.tape import enable_grad as enable_grad
from plugrad.tape import is_grad_enabled as is_grad_enabled
from plugrad.tape import no_grad as no_grad
from plugrad.tape import set_grad_enabled as set_grad_enabled
from plugrad.tensor import Tensor, ones_for


def backward(
    tensors: Tensor | Sequence[Tensor],
    grad_tensors: Tensor | Sequence[Tensor | None] | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    inputs: Tensor | Sequence[Tensor] | None = None,
) -> None:
    """Add the gradients of several tensors to the `.grad` of the leaves, or of `inputs` only."""
    outputs = _as_list(tensors)
    reverse.backward(
        outputs,
        _cotangents("backward", outputs, grad_tensors),
        retain_graph=create_graph if retain_graph is None else retain_graph,
        create_graph=create_graph,
        inputs=None if inputs is None else _as_list(inputs),
    )


def grad(
    outputs: Tensor | Sequence[Tensor],
    inputs: Tensor | Sequence[Tensor],
    grad_outputs: Tensor | Sequence[Tensor | None] | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    allow_unused: bool = False,
    materialize_grads: bool = False,
) -> tuple[Tensor | None, ...]:
    """The gradients of the outputs' sum, weighted by `grad_outputs`, with respect to the inputs.

    An input that the outputs do not depend on is an error, or gives `None` with `allow_unused`, or
    zeros with `materialize_grads`.
    """
    given, wanted = _as_list(outputs), _as_list(inputs)
    found = reverse.grad(
        given,
        wanted,
        _cotangents("grad", given, grad_outputs),
        retain_graph=create_graph if retain_graph is None else retain_graph,
        create_graph=create_graph,
    )
    if materialize_grads:
        return tuple(
            [
                tensor.new_zeros(tensor.shape) if each is None else each
                for each, tensor in zip(found, wanted, strict=True)
            ]
        )
    for position, each in enumerate(found):
        if each is None and not allow_unused:
            raise AutogradError(
                f"grad: inputs[{position}] was not used to compute the outputs; "
                "pass allow_unused=True to get None for it"
            )
    return tuple(found)


def Variable(data: Tensor, requires_grad: bool = False) -> Tensor:  # noqa: N802 - PyTorch's old name
    """The tensor itself, requiring grad if asked: what PyTorch's `Variable` has become."""
    return data.requires_grad_() if requires_grad else data


def _as_list(tensors: Tensor | Sequence[Tensor]) -> list[Tensor]:
    return [tensors] if isinstance(tensors, Tensor) else list(tensors)


def _cotangents(operator: str, outputs: list[Tensor], given: Any) -> list[Tensor]:
    if given is None:
        return [ones_for(output, operator) for output in outputs]
    cotangents = [given] if isinstance(given, Tensor) else list(given)
    if len(cotangents) != len(outputs):
        raise ArgumentError(
            operator, "gradients", expected=f"{len(outputs)}, one per output", got=len(cotangents)
        )
    return [
        ones_for(output, operator) if cotangent is None else cotangent
        for output, cotangent in zip(outputs, cotangents, strict=True)
    ]
