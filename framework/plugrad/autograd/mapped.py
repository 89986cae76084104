"""How a Function is called inside vmap, if it says so itself."""

from __future__ import annotations

from typing import Any, NamedTuple

from plugrad import shapes
from plugrad.batching import Batched, Frame, operand, wrapped
from plugrad.batching.rules import move_axis
from plugrad.errors import AutogradError
from plugrad.levels import Lifted
from plugrad.tape import mode, node_of
from plugrad.value import Value


class VmapInfo(NamedTuple):
    """What a Function's `vmap` learns of the vmap that runs."""

    batch_size: int
    randomness: str


def frame_of(args: tuple[Any, ...]) -> Frame | None:
    """The vmap whose rule a call follows: the innermost level of the arguments, if that is a vmap
    and nobody differentiates inside it.
    """
    lifted: list[Any] = [each for each in args if isinstance(each, Lifted) and each.frame.open]
    if not lifted:
        return None
    innermost = max(lifted, key=_level)
    frame = innermost.frame
    if not isinstance(innermost, Batched):
        return None
    followed = [each for each in lifted if each.frame is frame and node_of(each) is not None]
    return None if followed and mode.grad else frame


def call_mapped(function: Any, args: tuple[Any, ...], frame: Frame) -> Any:
    """What `function.vmap` makes of the whole batch, as one example of it."""
    whole: list[Any] = []
    dims: list[int | None] = []
    for each in args:
        physical, batched = operand(each, frame) if isinstance(each, Value) else (each, False)
        whole.append(physical)
        dims.append(0 if batched else None)
    info = VmapInfo(frame.size, frame.randomness)
    returned = frame.outside(function.vmap, info, tuple(dims), *whole)
    if not isinstance(returned, tuple) or len(returned) != 2:
        raise AutogradError(
            f"{function.__name__}: vmap must return a pair (output, out_dims), got "
            f"{type(returned).__name__}"
        )
    output, out_dims = returned
    if not isinstance(output, (tuple, list)):
        return _example(function, output, out_dims, frame)
    if not isinstance(out_dims, (tuple, list)):
        out_dims = [out_dims] * len(output)
    if len(out_dims) != len(output):
        raise AutogradError(
            f"{function.__name__}: vmap must return an entry of out_dims for each of the "
            f"{len(output)} outputs, got {len(out_dims)}"
        )
    pairs = zip(output, out_dims, strict=True)
    return tuple([_example(function, each, dim, frame) for each, dim in pairs])


def _example(function: Any, output: Any, dim: int | None, frame: Frame) -> Any:
    if not isinstance(output, Value):
        return output
    if dim is None:
        return wrapped(output, frame, False)
    ndim = len(output.spec.shape)
    dim = shapes.normalize_dim(dim, ndim, function.__name__, "out_dims")
    return wrapped(frame.outside(move_axis, output, dim, 0), frame, True)


def _level(value: Any) -> int:
    return value.level
