"""Adafactor: adaptive steps with a memory of one number per row and column."""

from __future__ import annotations

import math
from typing import Any

from plugrad.creation import zeros, zeros_like
from plugrad.dtypes import finfo
from plugrad.errors import ArgumentError, DtypeError
from plugrad.functions.reduction import norm
from plugrad.ops.linalg import matmul
from plugrad.optim.optimizer import Group, ParamsT
from plugrad.optim.stepping import OneByOne, State, check_not_negative, implementation
from plugrad.tensor import Tensor


class Adafactor(OneByOne):
    """`p -= rate * u / max(1, rms(u) / d)` with `u = g / sqrt(v)`: v is the running mean of the
    squared gradients, of a parameter with two axes or more the product of a column and a row.

    N. Shazeer, M. Stern, Adafactor: adaptive learning rates with sublinear memory cost, arXiv
    1804.04235. The rate at step t is `min(lr, 1 / sqrt(t)) * max(eps[1], rms(p))`, the mean takes
    `t ** beta2_decay` of what is new, and is at least `eps[0]` squared (by default the dtype's
    resolution). `lr * weight_decay * p` is taken off the parameter; `maximize` climbs.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float = 1e-2,
        beta2_decay: float = -0.8,
        eps: tuple[float | None, float] = (None, 1e-3),
        d: float = 1.0,
        weight_decay: float = 0.0,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
    ) -> None:
        check_not_negative(self, lr=lr, weight_decay=weight_decay)
        name = type(self).__name__
        if beta2_decay > 0:
            raise ArgumentError(name, "beta2_decay", expected="at most 0", got=beta2_decay)
        if (eps[0] is not None and eps[0] < 0) or eps[1] < 0:
            raise ArgumentError(name, "eps", expected="numbers of at least 0", got=eps)
        if d < 1:
            raise ArgumentError(name, "d", expected="at least 1", got=d)
        super().__init__(
            params,
            {
                "lr": lr,
                "beta2_decay": beta2_decay,
                "eps": eps,
                "d": d,
                "weight_decay": weight_decay,
                "maximize": maximize,
                **implementation(self, foreach=foreach),
            },
        )

    def begin(self, param: Tensor, group: Group) -> State:
        if param.is_complex():
            raise DtypeError("Adafactor", "params", expected="real parameters", got=param.dtype)
        if param.ndim < 2:
            return {"variance": zeros_like(param)}
        options = {"dtype": param.dtype, "device": param.device}
        rows, columns = param.spec.shape[-2:]
        return {
            "row_var": zeros(*param.spec.shape[:-2], rows, 1, **options),
            "col_var": zeros(*param.spec.shape[:-2], 1, columns, **options),
        }

    def move(self, p: Any, g: Any, state: State, group: Group) -> None:
        lr, step = float(group["lr"]), state["step"]
        least, slowest = group["eps"]
        least = finfo(p.dtype).eps if least is None else least
        root = math.sqrt(p.numel())
        rate = max(slowest, norm(p).item() / root) * min(lr, 1 / math.sqrt(step))
        if group["weight_decay"]:
            p.mul_(1 - lr * group["weight_decay"])
        variance = _variance(g, state, step ** group["beta2_decay"], least)
        move = variance.clamp_(min=least * least).rsqrt_().mul_(g)
        p.sub_(move, alpha=rate / max(1.0, norm(move).item() / (root * group["d"])))


def _variance(g: Any, state: State, share: float, least: float) -> Any:
    """The running mean of the squared gradients, with `share` of the new ones; to be written to."""
    squares = g * g
    if g.ndim < 2:
        return state["variance"].lerp_(squares, share).clone()
    rows = state["row_var"].lerp_(squares.mean(-1, True), share)
    columns = state["col_var"].lerp_(squares.mean(-2, True), share)
    return matmul(rows, columns).div_(rows.mean(-2, True).clamp_(min=least))
