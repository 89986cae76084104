"""GradScaler: gradients of float16, scaled so that small ones do not vanish."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from plugrad.dtypes import float16
from plugrad.errors import ArgumentError, AutogradError, DtypeError
from plugrad.ops.comparison import isfinite
from plugrad.ops.reduction import all as all_of
from plugrad.tape import no_grad
from plugrad.tensor import Tensor


class GradScaler:
    """Multiplies the loss by a scale before backward, divides the gradients by it before the step,
    leaves a step out whose gradients overflowed, and adapts the scale.

        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()

    After a step left out the scale is multiplied by `backoff_factor`, after `growth_interval` steps
    in a row by `growth_factor`. `device` is where PyTorch would keep the scale; with
    `enabled=False` everything passes through.
    """

    def __init__(
        self,
        device: str = "cuda",
        init_scale: float = 2.0**16,
        growth_factor: float = 2.0,
        backoff_factor: float = 0.5,
        growth_interval: int = 2000,
        enabled: bool = True,
    ) -> None:
        if enabled and growth_factor <= 1:
            raise ArgumentError(
                "GradScaler", "growth_factor", expected="above 1", got=growth_factor
            )
        if enabled and backoff_factor >= 1:
            raise ArgumentError(
                "GradScaler", "backoff_factor", expected="below 1", got=backoff_factor
            )
        self._enabled = enabled
        self._scale = float(init_scale)
        self._growth_factor = growth_factor
        self._backoff_factor = backoff_factor
        self._growth_interval = growth_interval
        self._growth_tracker = 0
        # Of each optimizer whose gradients were divided since the last update: whether they are
        # finite.
        self._finite: dict[int, bool] = {}
        self._stepped: set[int] = set()

    def scale(self, outputs: Any) -> Any:
        """A loss, or each in a list or tuple of them, times the scale."""
        if not self._enabled:
            return outputs
        if isinstance(outputs, Tensor):
            if outputs.itemsize == 2:  # the scale itself may be too large for it
                return (outputs.float() * self._scale).to(outputs.dtype)
            return outputs * self._scale
        if not isinstance(outputs, (list, tuple)):
            raise ArgumentError(
                "GradScaler", "outputs", expected="a tensor or a sequence of them", got=outputs
            )
        return type(outputs)([self.scale(each) for each in outputs])

    def unscale_(self, optimizer: Any) -> None:
        """Divide an optimizer's gradients by the scale now, to clip them or look at them; once
        between two updates.
        """
        if not self._enabled:
            return
        if id(optimizer) in self._stepped:
            raise AutogradError("unscale_: called after step() of this optimizer")
        if id(optimizer) in self._finite:
            raise AutogradError("unscale_: called already for this optimizer since the last update")
        finite = True
        with no_grad():
            for grad in _gradients(optimizer):
                if grad.dtype is float16:
                    raise DtypeError(
                        "unscale_",
                        "gradients",
                        expected="those of parameters in float32",
                        got=grad.dtype,
                        hint="keep the parameters in float32 and let autocast cast",
                    )
                grad.mul_(1 / self._scale)
                finite = all_of(isfinite(grad)).item() and finite
        self._finite[id(optimizer)] = finite

    def step(self, optimizer: Any, *args: Any, **kwargs: Any) -> Any:
        """The optimizer's step if its gradients, divided by the scale, are finite; returns what
        that does, else `None`.
        """
        if not self._enabled:
            return optimizer.step(*args, **kwargs)
        if "closure" in kwargs or args:
            raise ArgumentError(
                "GradScaler", "closure", expected="none: a scaled step evaluates once", got="one"
            )
        if id(optimizer) in self._stepped:
            raise AutogradError("step: called already for this optimizer since the last update")
        if id(optimizer) not in self._finite:
            self.unscale_(optimizer)
        self._stepped.add(id(optimizer))
        return optimizer.step(**kwargs) if self._finite[id(optimizer)] else None

    def update(self, new_scale: float | Tensor | None = None) -> None:
        """Adapt the scale to what the steps since the last update found, or set it."""
        if not self._enabled:
            return
        if new_scale is not None:
            self._scale = float(new_scale)
        elif not self._finite:
            raise AutogradError("update: no step() or unscale_() since the last update")
        elif not all(self._finite.values()):
            self._scale *= self._backoff_factor
            self._growth_tracker = 0
        else:
            self._growth_tracker += 1
            if self._growth_tracker == self._growth_interval:
                self._scale = _grown(self._scale, self._growth_factor)
                self._growth_tracker = 0
        self._finite.clear()
        self._stepped.clear()

    def get_scale(self) -> float:
        """What the loss is multiplied by; 1 if disabled."""
        return self._scale if self._enabled else 1.0

    def is_enabled(self) -> bool:
        """Whether it does anything."""
        return self._enabled

    def get_growth_factor(self) -> float:
        """What the scale is multiplied by after enough steps."""
        return self._growth_factor

    def set_growth_factor(self, new_factor: float) -> None:
        """Change what the scale is multiplied by after enough steps."""
        self._growth_factor = new_factor

    def get_backoff_factor(self) -> float:
        """What the scale is multiplied by after a step left out."""
        return self._backoff_factor

    def set_backoff_factor(self, new_factor: float) -> None:
        """Change what the scale is multiplied by after a step left out."""
        self._backoff_factor = new_factor

    def get_growth_interval(self) -> int:
        """After how many steps in a row the scale grows."""
        return self._growth_interval

    def set_growth_interval(self, new_interval: int) -> None:
        """Change after how many steps in a row the scale grows."""
        self._growth_interval = new_interval

    def state_dict(self) -> dict[str, Any]:
        """The scale, its factors, and how many steps it has stood; empty if disabled."""
        if not self._enabled:
            return {}
        return {
            "scale": self._scale,
            "growth_factor": self._growth_factor,
            "backoff_factor": self._backoff_factor,
            "growth_interval": self._growth_interval,
            "_growth_tracker": self._growth_tracker,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what `state_dict()` gave."""
        if not self._enabled:
            return
        if not state_dict:
            raise AutogradError(
                "load_state_dict: the state is empty: it was saved from a GradScaler that was "
                "disabled"
            )
        for name in ("scale", "growth_factor", "backoff_factor", "growth_interval"):
            setattr(self, f"_{name}", state_dict[name])
        self._growth_tracker = state_dict["_growth_tracker"]


def _gradients(optimizer: Any) -> Iterator[Tensor]:
    for group in optimizer.param_groups:
        for param in group["params"]:
            if param.grad is not None:
                yield param.grad


def _grown(scale: float, factor: float) -> float:
    """The scale after growth, unless float32 could not hold it."""
    grown = scale * factor
    return grown if grown < 2.0**128 else scale
