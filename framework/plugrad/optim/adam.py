"""Adam, and AdamW, whose weight decay does not pass through the running means."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from plugrad.creation import zeros_like
from plugrad.errors import ArgumentError
from plugrad.ops.optimizer import adam_step
from plugrad.optim.optimizer import (
    Closure,
    Optimizer,
    batch_of,
    check_not_differentiable,
    check_not_negative,
    evaluate,
    real_view,
)
from plugrad.tape import no_grad


class Adam(Optimizer):
    """`p -= lr * m / (sqrt(v) + eps)`: m and v are running means of the gradient and its square,
    bias-corrected.

    D. P. Kingma, J. Ba, Adam: a method for stochastic optimization, arXiv 1412.6980. `betas` are
    the means' rates; `amsgrad` divides by the largest v so far (arXiv 1904.09237); `weight_decay *
    p` is added to the gradient, or with `decoupled_weight_decay` taken off the parameter;
    `maximize` climbs. A state's "step" is an int. `foreach`, `capturable` and `fused` choose among
    PyTorch's implementations; here there is one.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        amsgrad: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
        decoupled_weight_decay: bool = False,
    ) -> None:
        check_not_negative(self, lr=lr, eps=eps, weight_decay=weight_decay)
        check_not_differentiable(self, differentiable)
        for position, beta in enumerate(betas):
            if not 0 <= beta < 1:
                raise ArgumentError(
                    type(self).__name__,
                    f"betas[{position}]",
                    expected="at least 0 and below 1",
                    got=beta,
                )
        super().__init__(
            params,
            {
                "lr": lr,
                "betas": betas,
                "eps": eps,
                "weight_decay": weight_decay,
                "amsgrad": amsgrad,
                "maximize": maximize,
                "decoupled_weight_decay": decoupled_weight_decay,
            },
        )

    @no_grad()
    def step(self, closure: Closure | None = None) -> Any:
        loss = evaluate(closure)
        for group in self.param_groups:
            batch = batch_of(self, group)
            if batch is None:
                continue
            amsgrad = group["amsgrad"]
            for param, state in zip(batch.owners, batch.states, strict=True):
                if not state:
                    state["step"] = 0
                    state["exp_avg"] = zeros_like(param)
                    state["exp_avg_sq"] = zeros_like(param)
                if amsgrad and "max_exp_avg_sq" not in state:
                    state["max_exp_avg_sq"] = zeros_like(param)
                state["step"] += 1
            beta1, beta2 = group["betas"]
            adam_step(
                batch.params,
                batch.grads,
                _remembered(batch.states, "exp_avg"),
                _remembered(batch.states, "exp_avg_sq"),
                _remembered(batch.states, "max_exp_avg_sq") if amsgrad else None,
                tuple([state["step"] for state in batch.states]),
                float(group["lr"]),
                float(beta1),
                float(beta2),
                float(group["eps"]),
                float(group["weight_decay"]),
                group["decoupled_weight_decay"],
                group["maximize"],
            )
        return loss

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        for own in self.state.values():
            if "step" in own:
                own["step"] = int(own["step"])  # PyTorch counts in a tensor


class AdamW(Adam):
    """Adam with decoupled weight decay: `p -= lr * weight_decay * p`.

    I. Loshchilov, F. Hutter, Decoupled weight decay regularization, arXiv 1711.05101. The options
    are Adam's.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        super().__init__(
            params,
            lr,
            betas,
            eps,
            weight_decay,
            amsgrad,
            maximize=maximize,
            differentiable=differentiable,
            decoupled_weight_decay=True,
        )

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        for group in self.param_groups:
            group["decoupled_weight_decay"] = True


def _remembered(states: list[dict[str, Any]], name: str) -> tuple[Any, ...]:
    return tuple([real_view(state[name]) for state in states])
