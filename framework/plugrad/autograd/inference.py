"""inference_mode: nothing is recorded, and nobody will ask."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import wraps
from typing import Any, final

from plugrad.tape import mode as recording


class _Inference(threading.local):
    on = False


_inference = _Inference()


@final
class inference_mode:
    """Operators in the block, or in the decorated function, are not recorded, as in `no_grad`;
    with `mode=False` they are, even inside another such block.

    Tensors made inside are tensors like others, which may be used in a graph later on: PyTorch
    forbids that.
    """

    def __new__(cls, mode: Any = True) -> Any:
        made = super().__new__(cls)
        if callable(mode):  # used as a decorator without parentheses
            made.__init__()
            return made(mode)
        return made

    def __init__(self, mode: bool = True) -> None:
        self._mode = mode
        self._before: list[tuple[bool, bool]] = []

    def __enter__(self) -> None:
        self._before.append((recording.grad, _inference.on))
        recording.grad, _inference.on = not self._mode, self._mode

    def __exit__(self, *exception: object) -> None:
        recording.grad, _inference.on = self._before.pop()

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def with_mode(*args: Any, **kwargs: Any) -> Any:
            with inference_mode(self._mode):
                return function(*args, **kwargs)

        return with_mode


def is_inference_mode_enabled() -> bool:
    """Whether an `inference_mode` block is running in this thread."""
    return _inference.on
