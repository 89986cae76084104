"""Adamax: Adam by the largest gradient instead of the mean square."""

from __future__ import annotations

from typing import Any

from plugrad.creation import zeros_like
from plugrad.ops.elementwise import maximum
from plugrad.optim.optimizer import Group, ParamsT
from plugrad.optim.stepping import (
    OneByOne,
    State,
    check_betas,
    check_not_negative,
    implementation,
    penalised,
    real_view,
)
from plugrad.tensor import Tensor


class Adamax(OneByOne):
    """`p -= lr / (1 - betas[0]**t) * m / u` at step t: m is the gradient's running mean, u the
    largest `|g| + eps` so far, which fades by `betas[1]` a step.

    D. P. Kingma, J. Ba, Adam: a method for stochastic optimization, arXiv 1412.6980, section 7.1.
    `weight_decay * p` is added to the gradient; `maximize` climbs.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
    ) -> None:
        check_not_negative(self, lr=lr, eps=eps, weight_decay=weight_decay)
        check_betas(self, betas)
        super().__init__(
            params,
            {
                "lr": lr,
                "betas": betas,
                "eps": eps,
                "weight_decay": weight_decay,
                "maximize": maximize,
                **implementation(
                    self, foreach=foreach, differentiable=differentiable, capturable=capturable
                ),
            },
        )

    def begin(self, param: Tensor, group: Group) -> State:
        return {"exp_avg": zeros_like(param), "exp_inf": zeros_like(param)}

    def move(self, p: Any, g: Any, state: State, group: Group) -> None:
        beta1, beta2 = group["betas"]
        g = penalised(p, g, group["weight_decay"])
        average, largest = real_view(state["exp_avg"]), real_view(state["exp_inf"])
        average.lerp_(g, 1 - beta1)
        largest.copy_(maximum(largest * beta2, g.abs().add_(group["eps"])))
        rate = float(group["lr"]) / (1 - beta1 ** state["step"])
        p.addcdiv_(average, largest, value=-rate)
