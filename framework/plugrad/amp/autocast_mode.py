"""autocast: products in a lower precision, what needs more in float32, in a block or a function."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, wraps
from typing import Any

from plugrad.autograd.function import FunctionCtx
from plugrad.devices import Device
from plugrad.dispatch import operators
from plugrad.dtypes import DType, bfloat16, float16
from plugrad.errors import ArgumentError
from plugrad.families import as_operand
from plugrad.op import Operator
from plugrad.precision import NAMED, NOTHING, Targets, WatchedPlans, casting, kind_of, target_of
from plugrad.tensor import Tensor
from plugrad.value import Value

_DEFAULTS: Targets = {"cpu": bfloat16, "cuda": float16}


class autocast:
    """In the block, or in a decorated function, matrix products, convolutions, attention and
    recurrent layers compute in `dtype`, and what needs more (losses, decompositions; on CUDA also
    softmax, norms, sums, exponentials) in float32, whatever they are given. The rest takes the
    dtype that its operands promote to.

    `dtype` is by default bfloat16 on a CPU and float16 on CUDA; `device_type` is "cuda", or "cpu"
    for every backend whose memory is the host's. float64 operands stay. Parameters keep their
    dtype, and their gradients come in it. Let backward run outside the block. `enabled=False`
    switches an outer block off; `cache_enabled` changes nothing.
    """

    def __init__(
        self,
        device_type: str,
        dtype: DType | None = None,
        enabled: bool = True,
        cache_enabled: bool | None = None,
    ) -> None:
        if not isinstance(device_type, str):
            raise ArgumentError(
                "autocast", "device_type", expected="a name like 'cuda' or 'cpu'", got=device_type
            )
        self._kind = kind_of(Device(device_type).type)
        self._dtype = _DEFAULTS[self._kind] if dtype is None else dtype
        self._enabled = enabled
        if enabled and self._dtype not in (float16, bfloat16):
            warnings.warn(
                f"autocast: {self._dtype} is not a lower precision; autocast is disabled",
                stacklevel=2,
            )
            self._enabled = False
        self._before: list[Targets] = []

    def __enter__(self) -> autocast:
        self._before.append(casting.targets)
        targets = {kind: dtype for kind, dtype in casting.targets.items() if kind != self._kind}
        if self._enabled:
            targets[self._kind] = self._dtype
            _count(1)
        casting.targets = targets
        return self

    def __exit__(self, *exception: object) -> None:
        casting.targets = self._before.pop()
        if self._enabled:
            _count(-1)

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def with_autocast(*args: Any, **kwargs: Any) -> Any:
            with self:
                return function(*args, **kwargs)

        return with_autocast


def is_autocast_enabled(device_type: str = "cuda") -> bool:
    """Whether operators on that kind of device are cast now, in this thread."""
    return kind_of(device_type) in casting.targets


def is_autocast_available(device_type: str) -> bool:
    """Whether a kind of device has lists of what to cast."""
    return kind_of(device_type) in _DEFAULTS


def get_autocast_dtype(device_type: str) -> DType:
    """The lower precision on that kind of device: of the block that runs, or the default."""
    kind = kind_of(device_type)
    return casting.targets.get(kind, _DEFAULTS[kind])


@contextmanager
def casting_as(targets: Targets) -> Iterator[None]:
    """In the block operators are cast as they were when `casting.targets` was this."""
    before, casting.targets = casting.targets, targets
    _count(1)
    try:
        yield
    finally:
        _count(-1)
        casting.targets = before


def custom_fwd(
    fwd: Callable[..., Any] | None = None,
    *,
    device_type: str = "cuda",
    cast_inputs: DType | None = None,
) -> Any:
    """For a Function's `forward`: floating tensors come cast to `cast_inputs` where autocast is on,
    and the body runs without it; with `None` they come as they are and it stays on.
    """
    if fwd is None:
        return lambda function: custom_fwd(
            function, device_type=device_type, cast_inputs=cast_inputs
        )
    kind = kind_of(device_type)

    @wraps(fwd)
    def forward(*args: Any, **kwargs: Any) -> Any:
        targets = casting.targets
        contexts = [each for each in args if isinstance(each, FunctionCtx)]
        if cast_inputs is None or kind not in targets:
            inside = targets
        else:
            inside = {each: dtype for each, dtype in targets.items() if each != kind}
            args = tuple([_as_input(each, cast_inputs) for each in args])
            kwargs = {name: _as_input(each, cast_inputs) for name, each in kwargs.items()}
        for ctx in contexts:
            ctx.__dict__["_targets"] = inside
        with casting_as(inside):
            return fwd(*args, **kwargs)

    return forward


def custom_bwd(bwd: Callable[..., Any] | None = None, *, device_type: str = "cuda") -> Any:
    """For the `backward` of a Function whose `forward` is a `custom_fwd`: it runs under the same
    autocast.
    """
    if bwd is None:
        return lambda function: custom_bwd(function, device_type=device_type)

    @wraps(bwd)
    def backward(ctx: FunctionCtx, *args: Any) -> Any:
        with casting_as(ctx.__dict__["_targets"]):
            return bwd(ctx, *args)

    return backward


def _as_input(value: Any, dtype: DType) -> Any:
    floating = isinstance(value, Tensor) and value.is_floating_point() and value.itemsize < 8
    return value.to(dtype) if floating else value


# how operators are watched ------------------------------------------------------------------------

# Of all threads together, how many blocks are running.
_counting = threading.Lock()
_blocks = 0

# Of each operator that is watched: its plans, what prepares its operands and its body, as they are
# while nobody casts.
_before: dict[Operator, tuple[dict[Any, Any], Any, Any]] = {}


def _count(by: int) -> None:
    global _blocks
    with _counting:
        before, _blocks = _blocks, _blocks + by
        if before == 0:
            _watch()
        elif _blocks == 0:
            _unwatch()


def _watch() -> None:
    """Exchange what decides about calls. The plans are emptied too: the functions that users call
    hold them, and must ask dispatch.
    """
    for name, operator in operators.items():
        if name not in NAMED and operator.body is None:
            continue
        plans = operator.plans
        _before[operator] = plans, operator.prepare, operator.body
        if name in NAMED:
            operator.plans = WatchedPlans(name, plans)
            plans.clear()
            operator.prepare = _casting_prepare(operator, operator.prepare)
        if operator.body is not None:
            operator.body = _uncast(operator.body)


def _unwatch() -> None:
    for operator, (plans, prepare, body) in _before.items():
        if plans is not operator.plans:
            plans.update(operator.plans)
        operator.plans, operator.prepare, operator.body = plans, prepare, body
    _before.clear()


@cache
def _casting_prepare(operator: Operator, prepare: Any) -> Any:
    """What brings operands to the dtype that the thread asks for, before what the operator itself
    does to them.
    """
    name = operator.name

    def cast(argument: Any) -> Any:
        if argument.__class__ is tuple:
            return tuple([cast(each) for each in argument])
        if not isinstance(argument, Value):
            return argument
        return as_operand(argument, target_of(name, argument.spec), None)

    def ready(arguments: tuple[Any, ...], params: tuple[Any, ...]) -> Any:
        if casting.targets:
            arguments = tuple([cast(each) for each in arguments])
        return (arguments, params) if prepare is None else prepare(arguments, params)

    return ready


@cache
def _uncast(body: Callable[..., Any]) -> Callable[..., Any]:
    """A composite's body, whose operators get what it gives them."""

    @wraps(body)
    def run(*arguments: Any) -> Any:
        before, casting.targets = casting.targets, NOTHING
        try:
            return body(*arguments)
        finally:
            casting.targets = before

    return run
