"""NAdam: Adam with Nesterov's momentum."""

from __future__ import annotations

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


class NAdam(OneByOne):
    """Adam whose step looks one momentum ahead: the gradient and its running mean m are both
    divided by `sqrt(v) + eps`, each with its share of the momentum.

    T. Dozat, Incorporating Nesterov momentum into Adam, ICLR workshop 2016. The momentum at step t
    is `betas[0] * (1 - 0.96 ** (t * momentum_decay) / 2)`. `weight_decay * p` is added to the
    gradient, or with `decoupled_weight_decay` taken off the parameter; `maximize` climbs.
    """

    counted = ("step", "mu_product")

    def __init__(
        self,
        params: ParamsT,
        lr: float = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum_decay: float = 4e-3,
        decoupled_weight_decay: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_not_negative(
            self, lr=lr, eps=eps, weight_decay=weight_decay, momentum_decay=momentum_decay
        )
        check_betas(self, betas)
        super().__init__(
            params,
            {
                "lr": lr,
                "betas": betas,
                "eps": eps,
                "weight_decay": weight_decay,
                "momentum_decay": momentum_decay,
                "decoupled_weight_decay": decoupled_weight_decay,
                "maximize": maximize,
                **implementation(
                    self, foreach=foreach, capturable=capturable, differentiable=differentiable
                ),
            },
        )

    def begin(self, param: Tensor, group: Group) -> State:
        return {
            "mu_product": 1.0,
            "exp_avg": zeros_like(param),
            "exp_avg_sq": zeros_like(param),
        }

    def move(self, p: Any, g: Any, state: State, group: Group) -> None:
        beta1, beta2 = group["betas"]
        lr, step = float(group["lr"]), state["step"]
        g = decayed(p, g, group)
        momentum, following = [
            beta1 * (1 - 0.5 * 0.96 ** (t * group["momentum_decay"])) for t in (step, step + 1)
        ]
        state["mu_product"] *= momentum
        product = state["mu_product"]
        average, squares = real_view(state["exp_avg"]), real_view(state["exp_avg_sq"])
        average.lerp_(g, 1 - beta1)
        squares.mul_(beta2).addcmul_(g, g, value=1 - beta2)
        size = squares.div(1 - beta2**step).sqrt_().add_(group["eps"])
        p.addcdiv_(g, size, value=-lr * (1 - momentum) / (1 - product))
        p.addcdiv_(average, size, value=-lr * following / (1 - product * following))
