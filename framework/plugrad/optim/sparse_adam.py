"""SparseAdam: Adam for sparse gradients."""

from __future__ import annotations

from typing import Any

from plugrad.creation import zeros_like
from plugrad.errors import ArgumentError, KindError
from plugrad.ops.optimizer import adam_step
from plugrad.optim.optimizer import Closure, Optimizer, ParamsT
from plugrad.optim.rows import Rows
from plugrad.optim.stepping import check_betas, evaluate
from plugrad.sparse import SparseTensor
from plugrad.tape import no_grad


class SparseAdam(Optimizer):
    """Adam on the rows that a sparse gradient names, the running means of the others untouched:
    `p -= lr * sqrt(1 - b2**t) / (1 - b1**t) * m / (sqrt(v) + eps)` at step t.

    `maximize` climbs.
    """

    counted = ("step",)

    def __init__(
        self,
        params: ParamsT,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        maximize: bool = False,
    ) -> None:
        for option, value in (("lr", lr), ("eps", eps)):
            if not value > 0:
                raise ArgumentError("SparseAdam", option, expected="above 0", got=value)
        check_betas(self, betas)
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "maximize": maximize})

    @no_grad()
    def step(self, closure: Closure | None = None) -> Any:
        loss = evaluate(closure)
        for group in self.param_groups:
            beta1, beta2 = group["betas"]
            for param in group["params"]:
                if param.grad is None:
                    continue
                if not isinstance(param.grad, SparseTensor):
                    raise KindError(
                        *("SparseAdam", "grad"),
                        expected="a sparse gradient",
                        got="a dense one",
                        hint="use Adam",
                    )
                state = self.state[param]
                if not state:
                    state["step"] = 0
                    state["exp_avg"] = zeros_like(param)
                    state["exp_avg_sq"] = zeros_like(param)
                state["step"] += 1
                rows = Rows(param, state["exp_avg"], state["exp_avg_sq"])
                p, average, square = rows.taken
                # Adam corrects v before eps is added, this algorithm after it.
                eps = group["eps"] / (1 - beta2 ** state["step"]) ** 0.5
                adam_step(
                    *((p,), (rows.grad,), (average,), (square,), None, (state["step"],)),
                    *(float(group["lr"]), float(beta1), float(beta2), float(eps), 0.0),
                    *(False, group["maximize"]),
                )
                rows.put_back()
        return loss
