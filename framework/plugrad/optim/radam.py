"""RAdam: Adam that adapts only once it knows the gradients' size."""

from __future__ import annotations

import math
from typing import Any

from plugrad.creation import zeros_like
from plugrad.optim.optimizer import Group, ParamsT
from plugrad.optim.stepping import (
    OneByOne,
    State,
    check_betas,
    check_not_negative,
    decayed,
    implementation,
    real_view,
)
from plugrad.tensor import Tensor


class RAdam(OneByOne):
    """Adam with its step scaled by how well the mean square is known; as long as its variance has
    no bound, a step of momentum alone.

    L. Liu et al., On the variance of the adaptive learning rate and beyond, arXiv 1908.03265.
    `weight_decay * p` is added to the gradient, or with `decoupled_weight_decay` taken off the
    parameter; `maximize` climbs.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        decoupled_weight_decay: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
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
                    self, foreach=foreach, capturable=capturable, differentiable=differentiable
                ),
                "decoupled_weight_decay": decoupled_weight_decay,
            },
        )

    def begin(self, param: Tensor, group: Group) -> State:
        return {"exp_avg": zeros_like(param), "exp_avg_sq": zeros_like(param)}

    def move(self, p: Any, g: Any, state: State, group: Group) -> None:
        beta1, beta2 = group["betas"]
        lr, step = float(group["lr"]), state["step"]
        g = decayed(p, g, group)
        average, squares = real_view(state["exp_avg"]), real_view(state["exp_avg_sq"])
        average.lerp_(g, 1 - beta1)
        squares.mul_(beta2).addcmul_(g, g, value=1 - beta2)
        rate = lr / (1 - beta1**step)
        certainty = _certainty(beta2, step)
        if certainty is None:
            p.sub_(average, alpha=rate)
        else:
            scale = math.sqrt(1 - beta2**step) * certainty
            p.addcdiv_(average, squares.sqrt().add_(group["eps"]), value=-rate * scale)


def _certainty(beta2: float, step: int) -> float | None:
    """The paper's rectification, from the length of the simple mean that the running one equals in
    effect; `None` where that is 5 or less and the variance has no bound.
    """
    longest = 2 / (1 - beta2) - 1
    length = longest - 2 * step * beta2**step / (1 - beta2**step)
    if length <= 5:
        return None
    return math.sqrt(
        (length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length)
    )
