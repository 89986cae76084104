"""Rprop: steps by the gradient's sign alone, whose size grows while the sign stays."""

from __future__ import annotations

from typing import Any

from plugrad.creation import full_like, zeros_like
from plugrad.errors import ArgumentError
from plugrad.functions.elementwise import where
from plugrad.optim.optimizer import Group, ParamsT
from plugrad.optim.stepping import (
    OneByOne,
    State,
    check_not_negative,
    implementation,
    real_view,
)
from plugrad.tensor import Tensor


class Rprop(OneByOne):
    """`p -= sign(g) * s`: the step s begins at `lr`, is multiplied by `etas[1]` where the gradient
    has kept its sign and by `etas[0]` where it has changed it, when the parameter stays for once;
    it keeps within `step_sizes`. For whole batches: minibatches' signs are noise.

    M. Riedmiller, H. Braun, A direct adaptive method for faster backpropagation learning, ICNN
    1993. `maximize` climbs.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float = 1e-2,
        etas: tuple[float, float] = (0.5, 1.2),
        step_sizes: tuple[float, float] = (1e-6, 50),
        *,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_not_negative(self, lr=lr)
        if not 0 < etas[0] < 1 < etas[1]:
            raise ArgumentError(
                type(self).__name__, "etas", expected="0 < etas[0] < 1 < etas[1]", got=etas
            )
        super().__init__(
            params,
            {
                "lr": lr,
                "etas": etas,
                "step_sizes": step_sizes,
                "maximize": maximize,
                **implementation(
                    self, foreach=foreach, differentiable=differentiable, capturable=capturable
                ),
            },
        )

    def begin(self, param: Tensor, group: Group) -> State:
        first = float(group["lr"])
        filled = complex(first, first) if param.is_complex() else first
        return {"prev": zeros_like(param), "step_size": full_like(param, filled)}

    def move(self, p: Any, g: Any, state: State, group: Group) -> None:
        smaller, larger = group["etas"]
        before, size = real_view(state["prev"]), real_view(state["step_size"])
        agreement = g * before
        changed = where(agreement < 0, size * smaller, where(agreement > 0, size * larger, size))
        size.copy_(changed.clamp_(*group["step_sizes"]))
        g = where(agreement < 0, 0.0, g)
        p.addcmul_(g.sign(), size, value=-1)
        before.copy_(g)
