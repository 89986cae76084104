"""Adadelta: steps as large as the ones before, by the gradients' running size."""

from __future__ import annotations

from typing import Any

from plugrad.creation import zeros_like
from plugrad.errors import ArgumentError
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


class Adadelta(OneByOne):
    """`p -= lr * d` with `d = g * sqrt(u + eps) / sqrt(v + eps)`, where v and u are running means
    of the squares of g and of d that keep `rho` of themselves.

    M. D. Zeiler, Adadelta: an adaptive learning rate method, arXiv 1212.5701. `weight_decay * p` is
    added to the gradient; `maximize` climbs.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float = 1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        capturable: bool = False,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_not_negative(self, lr=lr, eps=eps, weight_decay=weight_decay)
        if not 0 <= rho <= 1:
            raise ArgumentError(type(self).__name__, "rho", expected="from 0 to 1", got=rho)
        super().__init__(
            params,
            {
                "lr": lr,
                "rho": rho,
                "eps": eps,
                "weight_decay": weight_decay,
                "maximize": maximize,
                **implementation(
                    self, capturable=capturable, foreach=foreach, differentiable=differentiable
                ),
            },
        )

    def begin(self, param: Tensor, group: Group) -> State:
        return {"square_avg": zeros_like(param), "acc_delta": zeros_like(param)}

    def move(self, p: Any, g: Any, state: State, group: Group) -> None:
        rho, eps = group["rho"], group["eps"]
        g = penalised(p, g, group["weight_decay"])
        squares, moves = real_view(state["square_avg"]), real_view(state["acc_delta"])
        squares.mul_(rho).addcmul_(g, g, value=1 - rho)
        step = (moves + eps).sqrt_().div_((squares + eps).sqrt_()).mul_(g)
        moves.mul_(rho).addcmul_(step, step, value=1 - rho)
        p.sub_(step, alpha=float(group["lr"]))
