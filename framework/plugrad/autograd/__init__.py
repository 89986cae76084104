"""Gradients on demand: `backward` and `grad`, recording modes, one's own functions, their check."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from plugrad import reverse
from plugrad.autograd import forward_ad as forward_ad
from plugrad.autograd import functional as functional
from plugrad.autograd import graph as graph
from plugrad.autograd.anomaly import detect_anomaly as detect_anomaly
from plugrad.autograd.anomaly import is_anomaly_check_nan_enabled as is_anomaly_check_nan_enabled
from plugrad.autograd.anomaly import is_anomaly_enabled as is_anomaly_enabled
from plugrad.autograd.anomaly import set_detect_anomaly as set_detect_anomaly
from plugrad.autograd.function import Function as Function
from plugrad.autograd.function import FunctionCtx as FunctionCtx
from plugrad.autograd.function import once_differentiable as once_differentiable
from plugrad.autograd.gradcheck import gradcheck as gradcheck
from plugrad.autograd.gradcheck import gradgradcheck as gradgradcheck
from plugrad.autograd.inference import inference_mode as inference_mode
from plugrad.autograd.inference import is_inference_mode_enabled as is_inference_mode_enabled
from plugrad.autograd.variable import Variable as Variable
from plugrad.errors import ArgumentError, AutogradError
from plugrad.errors import GradcheckError as GradcheckError
from plugrad.func.mapping import vmap
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
    only_inputs: bool = True,
    allow_unused: bool | None = None,
    is_grads_batched: bool = False,
    materialize_grads: bool = False,
) -> tuple[Tensor | None, ...]:
    """The gradients of the outputs' sum, weighted by `grad_outputs`, with respect to the inputs.

    An input that the outputs do not depend on is an error, or gives `None` with `allow_unused`, or
    zeros with `materialize_grads`. With `is_grads_batched` axis 0 of each of `grad_outputs` numbers
    weightings: the gradients of all are computed at once, and have that axis too.
    """
    if not only_inputs:
        raise ArgumentError(
            "grad",
            "only_inputs",
            expected="True: other gradients are not collected here",
            got=only_inputs,
            hint="use backward()",
        )
    if materialize_grads and allow_unused is False:
        raise ArgumentError(
            "grad", "allow_unused", expected="not False with materialize_grads", got=allow_unused
        )
    given, wanted = _as_list(outputs), _as_list(inputs)
    options = {
        "retain_graph": create_graph if retain_graph is None else retain_graph,
        "create_graph": create_graph,
    }
    if is_grads_batched:
        found = _batched(given, wanted, grad_outputs, options)
    else:
        found = reverse.grad(given, wanted, _cotangents("grad", given, grad_outputs), **options)
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


def _batched(
    outputs: list[Tensor], inputs: list[Tensor], given: Any, options: dict[str, bool]
) -> list[Any]:
    """The gradients for every weighting along axis 0 of the cotangents."""
    cotangents = [given] if isinstance(given, Tensor) else list(given or ())
    if len(cotangents) != len(outputs) or any([each is None for each in cotangents]):
        raise ArgumentError(
            "grad",
            "grad_outputs",
            expected=f"{len(outputs)} tensors, one per output, with is_grads_batched",
            got=given,
        )
    used: list[bool] = []

    def pull(*one: Tensor) -> tuple[Tensor, ...]:
        found = reverse.grad(outputs, inputs, one, **options)
        used[:] = [each is not None for each in found]
        return tuple([each for each in found if each is not None])

    pulled = iter(vmap(pull)(*cotangents))
    return [next(pulled) if each else None for each in used]


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
