"""RMSprop: each element's step divided by the running size of its gradients."""

from __future__ import annotations

from typing import Any

from plugrad.creation import zeros_like
from plugrad.ops.optimizer import rmsprop_step
from plugrad.optim.optimizer import Closure, Optimizer, ParamsT
from plugrad.optim.stepping import (
    batch_of,
    check_not_negative,
    evaluate,
    implementation,
    remembered,
)
from plugrad.tape import no_grad


class RMSprop(Optimizer):
    """`p -= lr * g / (sqrt(v) + eps)`, where v is a running mean of the squared gradients that
    keeps `alpha` of itself.

    T. Tieleman, G. Hinton, lecture 6.5 of Neural networks for machine learning, 2012. `centered`
    divides by the root of the variance instead (A. Graves, arXiv 1308.0850); with `momentum` the
    steps are summed up first. `weight_decay * p` is added to the gradient; `maximize` climbs.
    """

    counted = ("step",)

    def __init__(
        self,
        params: ParamsT,
        lr: float = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum: float = 0,
        centered: bool = False,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_not_negative(
            self, lr=lr, alpha=alpha, eps=eps, weight_decay=weight_decay, momentum=momentum
        )
        super().__init__(
            params,
            {
                "lr": lr,
                "momentum": momentum,
                "alpha": alpha,
                "eps": eps,
                "centered": centered,
                "weight_decay": weight_decay,
                "maximize": maximize,
                **implementation(
                    self, capturable=capturable, foreach=foreach, differentiable=differentiable
                ),
            },
        )

    @no_grad()
    def step(self, closure: Closure | None = None) -> Any:
        loss = evaluate(closure)
        for group in self.param_groups:
            batch = batch_of(self, group)
            if batch is None:
                continue
            names = ["square_avg"]
            names += ["momentum_buffer"] if group["momentum"] > 0 else []
            names += ["grad_avg"] if group["centered"] else []
            for param, state in zip(batch.owners, batch.states, strict=True):
                state["step"] = state.get("step", 0) + 1
                for name in names:
                    if name not in state:
                        state[name] = zeros_like(param)
            rmsprop_step(
                batch.params,
                batch.grads,
                remembered(batch.states, "square_avg"),
                remembered(batch.states, "grad_avg") if group["centered"] else None,
                remembered(batch.states, "momentum_buffer") if group["momentum"] > 0 else None,
                float(group["lr"]),
                float(group["alpha"]),
                float(group["eps"]),
                float(group["weight_decay"]),
                float(group["momentum"]),
                group["maximize"],
            )
        return loss
