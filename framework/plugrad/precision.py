"""Autocast: which operators compute in a lower precision, and which in float32, while a thread asks
for it.

While some thread casts, the plans of an operator named here are exchanged for watched ones: such a
thread finds only those for operands that have their dtype already, others are cast first. Where
nobody casts, nothing is looked at.
"""

from __future__ import annotations

import threading
from typing import Any

from plugrad.dtypes import DType, float32
from plugrad.spec import Spec

# By whose lists a device follows: "cuda", or "cpu" for all backends of the host.
Targets = dict[str, DType]

_PRODUCTS = "matmul linear convolution attention lstm gru rnn"
_DECOMPOSITIONS = (
    "solve solve_triangular lu_factor inv det slogdet cholesky eig eigh eigvalsh qr svd svdvals "
    "pinv matrix_exp"
)
_LOSSES = "mse_loss nll_loss cross_entropy ctc_loss"

LOWER: dict[str, frozenset[str]] = {
    "cpu": frozenset(_PRODUCTS.split()),
    "cuda": frozenset(_PRODUCTS.split()),
}
FULL: dict[str, frozenset[str]] = {
    "cpu": frozenset(
        f"{_DECOMPOSITIONS} {_LOSSES} binary_cross_entropy prod fft_c2c fft_r2c fft_c2r".split()
    ),
    "cuda": frozenset(
        (
            f"{_LOSSES} acos asin cosh sinh tan exp expm1 log log10 log1p log2 pow reciprocal "
            "rsqrt erfinv softmax log_softmax layer_norm sum prod cumsum cumprod vector_norm"
        ).split()
    ),
}
NAMED = LOWER["cpu"] | FULL["cpu"] | LOWER["cuda"] | FULL["cuda"]


NOTHING: Targets = {}


class _Casting(threading.local):
    """Per thread: the lower precision of each kind of device that casts."""

    targets: Targets = NOTHING


casting = _Casting()


class WatchedPlans(dict[Any, Any]):
    """The plans of an operator while some thread casts: that thread finds those of operands that
    stay as they are.
    """

    def __init__(self, operator: str, plans: dict[Any, Any]) -> None:
        super().__init__(plans)
        self._operator = operator

    def get(self, key: Any, default: Any = None) -> Any:
        if casting.targets and _needs_cast(self._operator, key):
            return default
        return super().get(key, default)


def kind_of(device_type: str) -> str:
    """Whose lists a device follows."""
    return "cuda" if device_type == "cuda" else "cpu"


def _needs_cast(operator: str, key: Any) -> bool:
    """Whether one of the specs in a plan's key has another dtype than the thread asks for."""
    for each in key:
        if each.__class__ is tuple:
            if _needs_cast(operator, each):
                return True
        elif each.__class__ is Spec and target_of(operator, each) is not each.dtype:
            return True
    return False


def target_of(operator: str, spec: Spec) -> DType:
    """The dtype in which an operator of this thread takes an operand: float64 and what is not
    floating stay.
    """
    dtype = spec.dtype
    if not dtype.is_floating_point or dtype.itemsize == 8:
        return dtype
    kind = kind_of(spec.device.type)
    lower = casting.targets.get(kind)
    if lower is None:
        return dtype
    if operator in LOWER[kind]:
        return lower
    return float32 if operator in FULL[kind] else dtype
