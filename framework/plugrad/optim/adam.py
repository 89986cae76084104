"""Adam, and AdamW, whose weight decay does not pass through the running means."""

from __future__ import annotations

from typing import Any

from plugrad.creation import zeros_like
from plugrad.ops.optimizer import adam_step
from plugrad.optim.optimizer import Closure, Optimizer, ParamsT
from plugrad.optim.stepping import (
    batch_of,
    check_betas,
    check_not_negative,
    check_tensors,
    evaluate,
    implementation,
    remembered,
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

    counted = ("step",)

    def __init__(
        self,
        params: ParamsT,
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
        check_betas(self, betas)
        check_tensors(self, lr, betas, bool(foreach) and not capturable)
        super().__init__(
            params,
            {
                "lr": lr,
                "betas": betas,
                "eps": eps,
                "weight_decay": weight_decay,
                "amsgrad": amsgrad,
                "maximize": maximize,
                **implementation(
                    self,
                    foreach=foreach,
                    capturable=capturable,
                    differentiable=differentiable,
                    fused=fused,
                ),
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
                remembered(batch.states, "exp_avg"),
                remembered(batch.states, "exp_avg_sq"),
                remembered(batch.states, "max_exp_avg_sq") if amsgrad else None,
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


class AdamW(Adam):
    """Adam with decoupled weight decay: `p -= lr * weight_decay * p`.

    I. Loshchilov, F. Hutter, Decoupled weight decay regularization, arXiv 1711.05101. The options
    are Adam's.
    """

    def __init__(
        self,
        params: ParamsT,
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
            foreach=foreach,
            capturable=capturable,
            differentiable=differentiable,
            fused=fused,
            decoupled_weight_decay=True,
        )

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        for group in self.param_groups:
            group["decoupled_weight_decay"] = True
