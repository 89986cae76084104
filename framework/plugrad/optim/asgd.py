"""ASGD: gradient descent that also averages the parameters on their way."""

from __future__ import annotations

from typing import Any

from plugrad.creation import zeros_like
from plugrad.optim.optimizer import Group, ParamsT
from plugrad.optim.stepping import (
    OneByOne,
    State,
    check_not_negative,
    implementation,
    penalised,
    real_view,
)
from plugrad.tensor import Tensor


class ASGD(OneByOne):
    """`p -= eta * (g + lambd * p)` with a rate `eta = lr / (1 + lambd * lr * t) ** alpha` that
    falls with the step t; the mean of the parameter from step `t0` on is in its state's "ax".

    B. T. Polyak, A. B. Juditsky, Acceleration of stochastic approximation by averaging, SIAM
    Journal on Control and Optimization 30, 1992. `weight_decay * p` is added to the gradient;
    `maximize` climbs.
    """

    counted = ("step", "eta", "mu")

    def __init__(
        self,
        params: ParamsT,
        lr: float = 1e-2,
        lambd: float = 1e-4,
        alpha: float = 0.75,
        t0: float = 1e6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
    ) -> None:
        check_not_negative(self, lr=lr, weight_decay=weight_decay)
        super().__init__(
            params,
            {
                "lr": lr,
                "lambd": lambd,
                "alpha": alpha,
                "t0": t0,
                "weight_decay": weight_decay,
                "maximize": maximize,
                **implementation(
                    self, foreach=foreach, differentiable=differentiable, capturable=capturable
                ),
            },
        )

    def begin(self, param: Tensor, group: Group) -> State:
        return {"eta": float(group["lr"]), "mu": 1.0, "ax": zeros_like(param)}

    def move(self, p: Any, g: Any, state: State, group: Group) -> None:
        lr, lambd, step = float(group["lr"]), group["lambd"], state["step"]
        g = penalised(p, g, group["weight_decay"])
        p.mul_(1 - lambd * state["eta"]).sub_(g, alpha=state["eta"])
        mean = real_view(state["ax"])
        if state["mu"] == 1:
            mean.copy_(p)
        else:
            mean.add_(p - mean, alpha=state["mu"])
        state["eta"] = lr / (1 + lambd * lr * step) ** group["alpha"]
        state["mu"] = 1 / max(1, step - group["t0"])
