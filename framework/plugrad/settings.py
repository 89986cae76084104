"""PyTorch's switches of a whole program: what plugrad's backends do whichever way they stand."""

from __future__ import annotations

from typing import final

from plugrad.errors import ArgumentError, KindError

_DEBUG_MODES = ("default", "warn", "error")
_PRECISIONS = ("highest", "high", "medium")


@final
class _Settings:
    """What programs have asked for."""

    deterministic: int = 0
    precision: str = "highest"
    warns_always: bool = False


_settings = _Settings()


def use_deterministic_algorithms(mode: bool, *, warn_only: bool = False) -> None:
    """Ask for results that are the same, bit by bit, at every run.

    They are so in any case: the conformance kit holds every backend to it. What the switch stands
    at can be asked for, and changes nothing.
    """
    _settings.deterministic = 0 if not mode else 1 if warn_only else 2


def are_deterministic_algorithms_enabled() -> bool:
    """Whether deterministic algorithms were asked for."""
    return _settings.deterministic > 0


def is_deterministic_algorithms_warn_only_enabled() -> bool:
    """Whether they were asked for with `warn_only`."""
    return _settings.deterministic == 1


def set_deterministic_debug_mode(debug_mode: int | str) -> None:
    """`use_deterministic_algorithms` by another name: "default" or 0 is off, "warn" or 1 is on with
    `warn_only`, "error" or 2 is on.
    """
    if isinstance(debug_mode, bool) or not isinstance(debug_mode, int | str):
        raise KindError(
            "set_deterministic_debug_mode",
            "debug_mode",
            expected="a str or an int",
            got=type(debug_mode).__name__,
        )
    known: dict[int | str, int] = {mode: number for number, mode in enumerate(_DEBUG_MODES)}
    known |= {number: number for number in known.values()}
    if debug_mode not in known:
        raise ArgumentError(
            "set_deterministic_debug_mode",
            "debug_mode",
            expected="0, 1, 2, 'default', 'warn' or 'error'",
            got=repr(debug_mode),
        )
    _settings.deterministic = known[debug_mode]


def get_deterministic_debug_mode() -> int:
    """0, 1 or 2, as `set_deterministic_debug_mode` has them."""
    return _settings.deterministic


def set_float32_matmul_precision(precision: str) -> None:
    """How exact products of float32 matrices must be: "highest", or less by "high" and "medium".

    They are of the highest precision in any case: no backend rounds the factors first.
    """
    if precision not in _PRECISIONS:
        raise ArgumentError(
            "set_float32_matmul_precision",
            "precision",
            expected=" or ".join(map(repr, _PRECISIONS)),
            got=repr(precision),
        )
    _settings.precision = precision


def get_float32_matmul_precision() -> str:
    """What `set_float32_matmul_precision` has set, "highest" at first."""
    return _settings.precision


def set_flush_denormal(mode: bool) -> bool:
    """Ask for numbers too small for the normal format to count as 0; says whether that can be had:
    never, as the backends compute with them as IEEE arithmetic does.
    """
    return False


def set_num_interop_threads(num: int) -> None:
    """Ask for so many threads that run operators beside each other. There is one, the caller's:
    operators run in its order, each with up to `get_num_threads()`.
    """
    if type(num) is not int or num < 1:
        raise ArgumentError(
            "set_num_interop_threads", "num", expected="an int of at least 1", got=repr(num)
        )


def get_num_interop_threads() -> int:
    """How many threads run operators beside each other: 1."""
    return 1


def set_warn_always(b: bool) -> None:
    """Ask for every warning each time. plugrad's are Python's, and repeated as the filters of the
    module `warnings` have it; the switch can be asked for, and changes nothing.
    """
    if not isinstance(b, bool):
        raise KindError("set_warn_always", "b", expected="a bool", got=type(b).__name__)
    _settings.warns_always = b


def is_warn_always_enabled() -> bool:
    """What `set_warn_always` has set, False at first."""
    return _settings.warns_always
