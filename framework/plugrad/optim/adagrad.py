"""Adagrad: each element's step divided by the size of all its gradients so far."""

from __future__ import annotations

from typing import Any

from plugrad.creation import full_like
from plugrad.ops.optimizer import adagrad_step
from plugrad.optim.optimizer import Closure, Group, Optimizer, ParamsT
from plugrad.optim.rows import Rows, with_sparse_gradients
from plugrad.optim.stepping import (
    State,
    batch_of,
    check_not_negative,
    evaluate,
    implementation,
    remembered,
)
from plugrad.tape import no_grad
from plugrad.tensor import Tensor


class Adagrad(Optimizer):
    """`p -= lr / (1 + (t - 1) * lr_decay) * g / (sqrt(s) + eps)` at step t, where s is the sum of
    the squared gradients, beginning at `initial_accumulator_value`.

    J. Duchi, E. Hazan, Y. Singer, Adaptive subgradient methods for online learning and stochastic
    optimization, JMLR 12, 2011, 2121-2159. `weight_decay * p` is added to the gradient; `maximize`
    climbs. Without weight decay it takes sparse gradients.
    """

    counted = ("step",)

    def __init__(
        self,
        params: ParamsT,
        lr: float = 1e-2,
        lr_decay: float = 0,
        weight_decay: float = 0,
        initial_accumulator_value: float = 0,
        eps: float = 1e-10,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        check_not_negative(
            self,
            lr=lr,
            lr_decay=lr_decay,
            weight_decay=weight_decay,
            initial_accumulator_value=initial_accumulator_value,
            eps=eps,
        )
        super().__init__(
            params,
            {
                "lr": lr,
                "lr_decay": lr_decay,
                "eps": eps,
                "weight_decay": weight_decay,
                "initial_accumulator_value": initial_accumulator_value,
                "maximize": maximize,
                **implementation(self, foreach=foreach, differentiable=differentiable, fused=fused),
            },
        )

    def add_param_group(self, param_group: Group) -> None:
        super().add_param_group(param_group)
        for param in self.param_groups[-1]["params"]:
            self.state[param] = _beginning(param, self.param_groups[-1])

    @no_grad()
    def step(self, closure: Closure | None = None) -> Any:
        loss = evaluate(closure)
        for group in self.param_groups:
            for param in with_sparse_gradients("Adagrad", group, "weight_decay"):
                state = self.state[param]
                rows = Rows(param, state["sum"])
                state["step"] += 1
                p, total = rows.taken
                _step(group, (p,), (rows.grad,), (total,), (state["step"],))
                rows.put_back()
            batch = batch_of(self, group, dense=True)
            if batch is None:
                continue
            for param, state in zip(batch.owners, batch.states, strict=True):
                if not state:
                    state.update(_beginning(param, group))
                state["step"] += 1
            steps = tuple([state["step"] for state in batch.states])
            _step(group, batch.params, batch.grads, remembered(batch.states, "sum"), steps)
        return loss


def _step(group: Group, params: Any, grads: Any, sums: Any, steps: Any) -> None:
    adagrad_step(
        *(params, grads, sums, steps),
        float(group["lr"]),
        float(group["lr_decay"]),
        float(group["eps"]),
        float(group["weight_decay"]),
        group["maximize"],
    )


def _beginning(param: Tensor, group: Group) -> State:
    first = group["initial_accumulator_value"]
    # Of a complex parameter both parts are squared apart.
    return {
        "step": 0,
        "sum": full_like(param, complex(first, first) if param.is_complex() else first),
    }
