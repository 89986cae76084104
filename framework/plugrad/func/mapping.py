"""vmap: a function of one example, called once for a whole batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, final

from plugrad import shapes
from plugrad.batching import Batched, Frame, no_data, operand, wrapped
from plugrad.batching.rules import move_axis
from plugrad.errors import ArgumentError, AutogradError, ShapeError
from plugrad.func import trees
from plugrad.functions.joining import cat
from plugrad.ops.views import expand
from plugrad.tensor import Tensor
from plugrad.value import Value

Dims = Any  # an int, None, or a tree of them


@final
class BatchedTensor(Batched, Tensor):
    """What a mapped function sees: one example, standing for all."""

    __slots__ = ()

    def detach(self) -> Tensor:
        """The same memory outside every graph."""
        return wrapped(self.physical.detach(), self.frame, self.batched)

    @property
    def data(self) -> Tensor:
        """The same memory outside every graph."""
        return wrapped(self.physical.data, self.frame, self.batched)

    def backward(self, *arguments: Any, **options: Any) -> None:
        """Gradients inside vmap are asked for by `plugrad.func`."""
        raise AutogradError(
            "backward: inside vmap a gradient cannot be collected in .grad; use plugrad.func.grad()"
        )

    def new_empty(self, *size: Any, **options: Any) -> Tensor:
        """An uninitialised tensor for each example."""
        return self._allocate(super().new_empty, size, options)

    def new_zeros(self, *size: Any, **options: Any) -> Tensor:
        """Zeros for each example: values that differ can be written into them."""
        return self._allocate(super().new_zeros, size, options)

    def new_ones(self, *size: Any, **options: Any) -> Tensor:
        """Ones for each example."""
        return self._allocate(super().new_ones, size, options)

    def new_full(self, size: Sequence[Any], fill_value: Any, **options: Any) -> Tensor:
        """One number throughout, for each example."""
        return self._allocate(super().new_full, (size, fill_value), options)

    def _allocate(
        self, make: Callable[..., Tensor], arguments: tuple[Any, ...], options: dict[str, Any]
    ) -> Tensor:
        with self.frame.allocating(self.batched):
            return make(*arguments, **options)

    def _numbers(self) -> list[Any]:
        if self.batched:
            raise no_data("item")
        return self.physical._numbers()

    def numpy(self, *, force: bool = False) -> Any:
        """There is no array of one example."""
        raise no_data("numpy")

    def __reduce__(self) -> tuple[Any, ...]:
        raise no_data("pickle")

    def __repr__(self) -> str:
        dim = 0 if self.batched else None
        return f"BatchedTensor(level={self.level}, dim={dim}, value={self.physical!r})"


Batched.kind = BatchedTensor


def vmap(
    func: Callable[..., Any],
    in_dims: Dims = 0,
    out_dims: Dims = 0,
    randomness: str = "error",
    *,
    chunk_size: int | None = None,
) -> Callable[..., Any]:
    """A function that maps `func` over an axis of its arguments.

    `in_dims` names that axis for each argument, or for each tensor inside it: an int, or `None`
    for what is the same for every example. Keyword arguments are mapped over axis 0. `out_dims`
    says where the axis goes in the results. `randomness`: whether random numbers are an "error",
    the "same" or "different" for the examples. `chunk_size` bounds how many examples run at once.
    """
    if randomness not in ("error", "different", "same"):
        raise ArgumentError(
            "vmap", "randomness", expected="'error', 'different' or 'same'", got=randomness
        )
    if chunk_size is not None and chunk_size < 1:
        raise ArgumentError("vmap", "chunk_size", expected="at least 1", got=chunk_size)

    @wraps(func)
    def mapped(*args: Any, **kwargs: Any) -> Any:
        tensors = trees.leaves((args, kwargs))
        dims = _in_dims(in_dims, args, kwargs)
        size = _size(tensors, dims)
        if chunk_size is None or size <= chunk_size:
            return _run(func, (args, kwargs), tensors, dims, size, out_dims, randomness)
        parts = [
            _run(func, (args, kwargs), part, dims, len_, out_dims, randomness)
            for part, len_ in _chunks(tensors, dims, size, chunk_size)
        ]
        return _joined(parts, out_dims)

    return mapped


def _in_dims(in_dims: Dims, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Any]:
    if isinstance(in_dims, list):
        in_dims = tuple(in_dims)
    if not isinstance(in_dims, (int, tuple)):
        raise ArgumentError(
            "vmap", "in_dims", expected="an int, or a tuple with an entry per argument", got=in_dims
        )
    dims = trees.spread(in_dims, args)
    if dims is None:
        raise ArgumentError(
            "vmap",
            "in_dims",
            expected=f"an entry for each of the {len(args)} arguments, in their structure",
            got=in_dims,
        )
    return [*dims, *[0] * len(trees.leaves(kwargs))]


def _size(tensors: list[Any], dims: list[Any]) -> int:
    sizes: dict[int, int] = {}
    for position, (tensor, dim) in enumerate(zip(tensors, dims, strict=True)):
        if dim is None:
            continue
        name = f"in_dims, leaf {position}"
        if not isinstance(dim, int) or isinstance(dim, bool):
            raise ArgumentError("vmap", name, expected="an int or None", got=dim)
        if not isinstance(tensor, Value):
            raise ArgumentError(
                "vmap",
                name,
                expected=f"None for an argument of type {type(tensor).__name__}",
                got=dim,
                hint="only tensors can be mapped over",
            )
        shape = tensor.spec.shape
        if not shape:
            raise ShapeError(
                "vmap",
                f"leaf {position}",
                expected="a tensor with axes, as in_dims names one",
                got=shape,
            )
        sizes[position] = shape[shapes.normalize_dim(dim, len(shape), "vmap", "in_dims")]
    if not sizes:
        raise ArgumentError(
            "vmap", "in_dims", expected="at least one argument to map over", got="none"
        )
    size = next(iter(sizes.values()))
    if any(other != size for other in sizes.values()):
        raise ShapeError(
            "vmap",
            "arguments",
            expected="the same size on every mapped axis",
            got=", ".join(f"{n} (leaf {position})" for position, n in sizes.items()),
        )
    return size


def _run(
    func: Callable[..., Any],
    tree: Any,
    tensors: list[Any],
    dims: list[Any],
    size: int,
    out_dims: Dims,
    randomness: str,
) -> Any:
    with Frame(size, randomness) as frame:
        lifted = [
            each if dim is None else wrapped(_in_front(each, dim), frame, True)
            for each, dim in zip(tensors, dims, strict=True)
        ]
        args, kwargs = trees.rebuilt(tree, lifted)
        returned = func(*args, **kwargs)
    results = trees.leaves(returned)
    wanted = trees.spread(out_dims, returned)
    if wanted is None:
        raise ArgumentError(
            "vmap", "out_dims", expected="the structure of what the function returns", got=out_dims
        )
    placed = [_lowered(each, dim, frame) for each, dim in zip(results, wanted, strict=True)]
    return trees.rebuilt(returned, placed)


def _in_front(tensor: Any, dim: int) -> Any:
    return move_axis(tensor, dim % len(tensor.spec.shape), 0)


def _lowered(result: Any, dim: int | None, frame: Frame) -> Any:
    """A result outside the vmap, its batch axis at `dim`."""
    if not isinstance(result, Value):
        raise ArgumentError(
            "vmap", "func", expected="a function that returns tensors", got=type(result).__name__
        )
    physical, batched = operand(result, frame)
    if dim is None:
        if batched:
            raise ArgumentError(
                "vmap",
                "out_dims",
                expected="an int, for a result that differs between the examples",
                got=None,
            )
        return physical
    if not batched:
        physical = expand(physical, (frame.size, *physical.spec.shape))
    ndim = len(physical.spec.shape)
    return move_axis(physical, 0, shapes.normalize_dim(dim, ndim, "vmap", "out_dims"))


def _chunks(
    tensors: list[Any], dims: list[Any], size: int, chunk_size: int
) -> list[tuple[list[Any], int]]:
    found: list[tuple[list[Any], int]] = []
    for start in range(0, size, chunk_size):
        count = min(chunk_size, size - start)
        part = [
            each if dim is None else each.narrow(dim, start, count)
            for each, dim in zip(tensors, dims, strict=True)
        ]
        found.append((part, count))
    return found


def _joined(parts: list[Any], out_dims: Dims) -> Any:
    """The results of chunks as one."""
    wanted = trees.spread(out_dims, parts[0])
    assert wanted is not None
    columns = zip(*map(trees.leaves, parts), strict=True)
    joined = [
        column[0] if dim is None else cat(column, dim)
        for column, dim in zip(columns, wanted, strict=True)
    ]
    return trees.rebuilt(parts[0], joined)
