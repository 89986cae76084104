"""Stochastic gradient descent, with momentum if wanted."""

from __future__ import annotations

from typing import Any

from plugrad.creation import zeros_like
from plugrad.errors import ArgumentError
from plugrad.ops.optimizer import sgd_step
from plugrad.optim.optimizer import Closure, Group, Optimizer, ParamsT
from plugrad.optim.rows import Rows, with_sparse_gradients
from plugrad.optim.stepping import (
    Batch,
    batch_of,
    check_not_negative,
    evaluate,
    implementation,
    remembered,
)
from plugrad.tape import no_grad


class SGD(Optimizer):
    """`p -= lr * m`, where `m` is a running sum of the gradients.

    `m = momentum * m + (1 - dampening) * g`, which the first gradient fills whole; without momentum
    the gradient itself, with `nesterov` the gradient plus `momentum * m`. `weight_decay * p` is
    added to the gradient; `maximize` climbs. Without momentum and weight decay it takes sparse
    gradients. `foreach` and `fused` choose among PyTorch's implementations; here there is one.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float = 1e-3,
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: float = 0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        check_not_negative(self, lr=lr, momentum=momentum, weight_decay=weight_decay)
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ArgumentError(
                "SGD",
                "nesterov",
                expected="a momentum above 0 and no dampening",
                got=f"momentum {momentum} and dampening {dampening}",
            )
        super().__init__(
            params,
            {
                "lr": lr,
                "momentum": momentum,
                "dampening": dampening,
                "weight_decay": weight_decay,
                "nesterov": nesterov,
                "maximize": maximize,
                **implementation(self, foreach=foreach, differentiable=differentiable, fused=fused),
            },
        )

    @no_grad()
    def step(self, closure: Closure | None = None) -> Any:
        loss = evaluate(closure)
        for group in self.param_groups:
            for param in with_sparse_gradients("SGD", group, "momentum", "weight_decay"):
                rows = Rows(param)
                _call(group, tuple(rows.taken), (rows.grad,), None, 0.0)
                rows.put_back()
            batch = batch_of(self, group, dense=True)
            if batch is not None:
                _step(group, batch)
        return loss


def _step(group: Group, batch: Batch) -> None:
    if not group["momentum"]:
        _call(group, batch.params, batch.grads, None, 0.0)
        return
    new = [not _has_momentum(state) for state in batch.states]
    for param, state, is_new in zip(batch.owners, batch.states, new, strict=True):
        if is_new:
            state["momentum_buffer"] = zeros_like(param)
    momenta = remembered(batch.states, "momentum_buffer")
    if not group["dampening"] or not any(new):
        _call(group, batch.params, batch.grads, momenta, group["dampening"])
        return
    for dampening, chosen in ((0.0, new), (group["dampening"], [not each for each in new])):
        if any(chosen):
            params, grads = _select(batch.params, chosen), _select(batch.grads, chosen)
            _call(group, params, grads, _select(momenta, chosen), dampening)


def _call(group: Group, params: Any, grads: Any, momenta: Any, dampening: float) -> None:
    sgd_step(
        params,
        grads,
        momenta,
        float(group["lr"]),
        float(group["momentum"]),
        float(dampening),
        float(group["weight_decay"]),
        group["nesterov"],
        group["maximize"],
    )


def _has_momentum(state: dict[str, Any]) -> bool:
    return state.get("momentum_buffer") is not None


def _select(values: tuple[Any, ...], chosen: list[bool]) -> tuple[Any, ...]:
    return tuple([value for value, wanted in zip(values, chosen, strict=True) if wanted])
