"""Muon: momentum for matrices, made orthogonal before each step."""

from __future__ import annotations

import math
from typing import Any

from plugrad.creation import zeros_like
from plugrad.errors import ArgumentError, ShapeError
from plugrad.functions.reduction import norm
from plugrad.ops.linalg import matmul
from plugrad.optim.optimizer import Closure, Group, Optimizer, ParamsT
from plugrad.optim.stepping import check_not_negative, evaluate
from plugrad.tape import no_grad

_RATES = (None, "original", "match_rms_adamw")


class Muon(Optimizer):
    """`p -= rate * orthogonal(m)`, where m is the gradients' running mean, looking one momentum
    ahead with `nesterov`: all of its singular values are brought close to 1.

    K. Jordan et al., Muon: an optimizer for hidden layers in neural networks, 2024. For matrices
    only; embeddings, heads and vectors are AdamW's. The singular values are found by `ns_steps` of
    the iteration `x -> a x + (b A + c A A) x` with `A = x xᵀ` and `(a, b, c) = ns_coefficients`,
    here in the parameter's dtype (PyTorch iterates in bfloat16). `adjust_lr_fn` scales the rate by
    `sqrt(max(1, rows / columns))` ("original", the default), or so that steps are as large as
    AdamW's ("match_rms_adamw", arXiv 2502.16982). `lr * weight_decay * p` is taken off the
    parameter.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float = 1e-3,
        weight_decay: float = 0.1,
        momentum: float = 0.95,
        nesterov: bool = True,
        ns_coefficients: tuple[float, float, float] = (3.4445, -4.7750, 2.0315),
        eps: float = 1e-7,
        ns_steps: int = 5,
        adjust_lr_fn: str | None = None,
    ) -> None:
        check_not_negative(self, lr=lr, weight_decay=weight_decay, momentum=momentum)
        if adjust_lr_fn not in _RATES:
            raise ArgumentError(
                "Muon", "adjust_lr_fn", expected=f"one of {_RATES}", got=adjust_lr_fn
            )
        if len(ns_coefficients) != 3:
            raise ArgumentError(
                "Muon", "ns_coefficients", expected="three numbers", got=ns_coefficients
            )
        super().__init__(
            params,
            {
                "lr": lr,
                "weight_decay": weight_decay,
                "momentum": momentum,
                "nesterov": nesterov,
                "ns_coefficients": ns_coefficients,
                "eps": eps,
                "ns_steps": ns_steps,
                "adjust_lr_fn": adjust_lr_fn,
            },
        )

    def add_param_group(self, param_group: Group) -> None:
        super().add_param_group(param_group)
        for param in self.param_groups[-1]["params"]:
            if param.ndim != 2:
                shape = param.spec.shape
                raise ShapeError("Muon", "params", expected="matrices", got=f"shape {shape}")

    @no_grad()
    def step(self, closure: Closure | None = None) -> Any:
        loss = evaluate(closure)
        for group in self.param_groups:
            momentum = group["momentum"]
            for p in group["params"]:
                if p.grad is None:
                    continue
                state = self.state[p]
                if not state:
                    state["momentum_buffer"] = zeros_like(p)
                mean = state["momentum_buffer"].lerp_(p.grad, 1 - momentum)
                ahead = p.grad.lerp(mean, momentum) if group["nesterov"] else mean
                p.mul_(1 - group["lr"] * group["weight_decay"])
                p.sub_(_orthogonal(ahead, group), alpha=_rate(p.spec.shape, group))
        return loss


def _orthogonal(x: Any, group: Group) -> Any:
    """`U Vᵀ` of the singular value decomposition `U S Vᵀ`, nearly: Newton and Schulz's iteration
    draws the singular values towards 1, here by a quintic polynomial.
    """
    a, b, c = group["ns_coefficients"]
    upright = x.spec.shape[0] > x.spec.shape[1]
    x = x.T if upright else x
    x = x / norm(x).clamp(min=group["eps"])  # from here no singular value is above 1
    for _ in range(group["ns_steps"]):
        gram = matmul(x, x.T)
        x = x * a + matmul(gram * b + matmul(gram, gram) * c, x)
    return x.T if upright else x


def _rate(shape: tuple[int, ...], group: Group) -> float:
    rows, columns = shape
    if group["adjust_lr_fn"] == "match_rms_adamw":
        return float(group["lr"]) * 0.2 * math.sqrt(max(rows, columns))
    return float(group["lr"]) * math.sqrt(max(1, rows / columns))
