"""A batch normalisation in evaluation mode, merged into the linear map before it."""

from __future__ import annotations

from copy import deepcopy
from typing import TypeVar

from plugrad.creation import ones_like, zeros_like
from plugrad.errors import ArgumentError
from plugrad.nn.module import Module
from plugrad.nn.parameter import Parameter
from plugrad.ops.elementwise import rsqrt
from plugrad.tape import no_grad
from plugrad.tensor import Tensor

M = TypeVar("M", bound=Module)
Fused = tuple[Parameter, Parameter]


def fuse_conv_bn_eval(conv: M, bn: Module, transpose: bool = False) -> M:
    """A copy of the convolution, transposed or not, that does what it and then `bn` do."""
    return _fused("fuse_conv_bn_eval", conv, bn, transpose)


def fuse_linear_bn_eval(linear: M, bn: Module) -> M:
    """A copy of the linear layer that does what it and then `bn` do."""
    name = "fuse_linear_bn_eval"
    features = linear.get_parameter("weight").shape[0]
    count = bn.get_buffer("running_mean").numel()
    if count not in (1, features):
        raise ArgumentError(name, "bn", expected=f"one of {features} features, or 1", got=count)
    return _fused(name, linear, bn, False)


@no_grad()
def fuse_conv_bn_weights(
    conv_w: Tensor,
    conv_b: Tensor | None,
    bn_rm: Tensor,
    bn_rv: Tensor,
    bn_eps: float,
    bn_w: Tensor | None,
    bn_b: Tensor | None,
    transpose: bool = False,
) -> Fused:
    """Weight and bias of such a convolution, from those of both layers and the running mean `bn_rm`
    and variance `bn_rv`.
    """
    scale = rsqrt(bn_rv + bn_eps) * (ones_like(bn_rm) if bn_w is None else bn_w)
    shift = zeros_like(bn_rm) if bn_b is None else bn_b
    bias = zeros_like(bn_rm) if conv_b is None else conv_b
    lead = (1, -1) if transpose else (-1, 1)
    weight = conv_w * scale.reshape(*lead, *(1,) * (conv_w.ndim - 2))
    bias = (bias - bn_rm) * scale + shift
    return (
        Parameter(weight.to(conv_w.dtype), conv_w.requires_grad),
        Parameter(bias, conv_w.requires_grad if conv_b is None else conv_b.requires_grad),
    )


def fuse_linear_bn_weights(
    linear_w: Tensor,
    linear_b: Tensor | None,
    bn_rm: Tensor,
    bn_rv: Tensor,
    bn_eps: float,
    bn_w: Tensor,
    bn_b: Tensor,
) -> Fused:
    """Weight and bias of such a linear layer."""
    return fuse_conv_bn_weights(linear_w, linear_b, bn_rm, bn_rv, bn_eps, bn_w, bn_b)


def _fused(name: str, layer: M, bn: Module, transpose: bool) -> M:
    for argument, module in (("layer", layer), ("bn", bn)):
        if module.training:
            raise ArgumentError(name, argument, expected="a module in eval()", got="one in train()")
    bias = layer._parameters["bias"]
    fused = deepcopy(layer)
    weight, shift = fuse_conv_bn_weights(
        *(layer.get_parameter("weight"), bias),
        *(bn.get_buffer("running_mean"), bn.get_buffer("running_var"), getattr(bn, "eps", 0.0)),
        *(bn._parameters["weight"], bn._parameters["bias"], transpose),
    )
    fused._parameters.update(weight=weight, bias=shift)
    return fused
