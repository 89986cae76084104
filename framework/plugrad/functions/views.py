"""Views and reshaping, as users call them: sizes as separate numbers or one sequence, negative
dims, names by pairs.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from plugrad import shapes
from plugrad.errors import ArgumentError, DtypeError, ShapeError
from plugrad.ops import views
from plugrad.ops.creation import clone
from plugrad.value import Value

if TYPE_CHECKING:
    from plugrad.tensor import Tensor


def sizes_of(operator: str, sizes: tuple[Any, ...]) -> tuple[int, ...]:
    """Sizes given one by one, or as one sequence."""
    for size in sizes:
        if type(size) is not int:
            break
    else:
        return sizes
    if len(sizes) == 1 and isinstance(sizes[0], Sequence):
        return shapes.as_ints(sizes[0], operator)
    return shapes.as_ints(sizes, operator)


def view(input: Tensor, size: Any = (), *more: int) -> Tensor:
    """The same elements under another shape, one size of which may be -1; refuses what needs a
    copy.
    """
    return views.view(input, sizes_of("view", (size, *more)))


def view_as(input: Tensor, other: Tensor) -> Tensor:
    """`view` with the shape of another tensor."""
    return views.view(input, other.shape)


def reshape(input: Tensor, shape: Any = (), *more: int) -> Tensor:
    """The same elements under another shape: a view where the strides allow it, else a copy."""
    return views.reshape(input, sizes_of("reshape", (shape, *more)))


def permute(input: Tensor, dims: Any = (), *more: int) -> Tensor:
    """The axes in the given order."""
    return views.permute(input, sizes_of("permute", (dims, *more)))


def transpose(input: Tensor, dim0: int, dim1: int) -> Tensor:
    """Two axes exchanged."""
    ndim = len(input.shape)
    if not ndim:
        return views.permute(input, ())
    first = shapes.normalize_dim(dim0, ndim, "transpose", "dim0")
    second = shapes.normalize_dim(dim1, ndim, "transpose", "dim1")
    order = list(range(ndim))
    order[first], order[second] = second, first
    return views.permute(input, tuple(order))


def swapaxes(input: Tensor, axis0: int, axis1: int) -> Tensor:
    """`transpose`, as NumPy names it."""
    return transpose(input, axis0, axis1)


def t(input: Tensor) -> Tensor:
    """A matrix transposed; a vector or a number as it is."""
    ndim = len(input.shape)
    if ndim > 2:
        raise ShapeError(
            "t", "input", expected="at most two axes", got=input.shape, hint="use transpose()"
        )
    return views.permute(input, tuple(reversed(range(ndim))))


def movedim(input: Tensor, source: int | Sequence[int], destination: int | Sequence[int]) -> Tensor:
    """Axes moved to other places, the rest in their order."""
    ndim = len(input.shape)
    origins = [source] if isinstance(source, int) else list(source)
    targets = [destination] if isinstance(destination, int) else list(destination)
    if len(origins) != len(targets):
        raise ArgumentError(
            "movedim", "destination", expected=f"{len(origins)} axes, as source has", got=targets
        )
    taken = [shapes.normalize_dim(dim, ndim, "movedim", "source") for dim in origins]
    places = [shapes.normalize_dim(dim, ndim, "movedim", "destination") for dim in targets]
    for name, dims in (("source", taken), ("destination", places)):
        if len(set(dims)) != len(dims):
            raise ArgumentError("movedim", name, expected="each axis once", got=dims)
    rest = iter([dim for dim in range(ndim) if dim not in taken])
    chosen = dict(zip(places, taken, strict=True))
    order = [chosen[place] if place in chosen else next(rest) for place in range(ndim)]
    return views.permute(input, tuple(order))


def squeeze(input: Tensor, dim: int | Sequence[int] | None = None) -> Tensor:
    """Axes of size 1 removed: all of them, or those named."""
    return views.view(input, shapes.squeeze_shape(input.shape, dim, "squeeze"))


def unsqueeze(input: Tensor, dim: int) -> Tensor:
    """A new axis of size 1 at `dim`."""
    return views.view(input, shapes.unsqueeze_shape(input.shape, dim, "unsqueeze"))


def expand(input: Tensor, size: Any = (), *more: int) -> Tensor:
    """Axes of size 1 repeated without a copy; -1 keeps a size."""
    return views.expand(input, sizes_of("expand", (size, *more)))


def expand_as(input: Tensor, other: Tensor) -> Tensor:
    """`expand` to the shape of another tensor."""
    return views.expand(input, other.shape)


def broadcast_to(input: Tensor, size: Sequence[int]) -> Tensor:
    """`expand` to a shape."""
    return views.expand(input, shapes.as_ints(size, "broadcast_to"))


def flatten(input: Tensor, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """The axes from `start_dim` to `end_dim` as one; a number becomes a vector."""
    return views.reshape(input, shapes.flatten_shape(input.shape, start_dim, end_dim, "flatten"))


def ravel(input: Tensor) -> Tensor:
    """All elements along one axis; a copy unless they lie in order."""
    return flatten(input if input.is_contiguous() else clone(input))


def unflatten(input: Tensor, dim: int, sizes: Sequence[int]) -> Tensor:
    """One axis as several; one of the sizes may be -1."""
    return views.view(input, shapes.unflatten_shape(input.shape, dim, sizes, "unflatten"))


def narrow(input: Tensor, dim: int, start: int, length: int) -> Tensor:
    """`length` elements of an axis from `start` on."""
    dim = shapes.normalize_dim(dim, len(input.shape), "narrow")
    if isinstance(start, Value) and (start.spec.shape or start.spec.dtype.kind != "int"):
        raise ArgumentError(
            "narrow", "start", expected="an integer, or a tensor of one without axes", got=start
        )
    size = input.shape[dim]
    first = int(start) + size if start < 0 else int(start)
    if not 0 <= first <= size or length < 0 or first + length > size:
        raise ShapeError(
            "narrow",
            "length",
            expected=f"a range inside the axis, which has {size} elements",
            got=f"{length} from {start}",
        )
    return views.slice_dim(input, dim, first, first + length, 1)


def select(input: Tensor, dim: int, index: int) -> Tensor:
    """One position of an axis, which goes away."""
    return views.select(input, int(dim), int(index))


def unfold(input: Tensor, dimension: int, size: int, step: int) -> Tensor:
    """All windows of `size` along an axis, `step` apart, as a new last axis."""
    return views.unfold(input, int(dimension), int(size), int(step))


def diagonal(input: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor:
    """The diagonal of two axes, as a new last axis; a positive `offset` lies above the main one."""
    return views.diagonal(input, int(offset), int(dim1), int(dim2))


def as_strided(
    input: Tensor, size: Sequence[int], stride: Sequence[int], storage_offset: int | None = None
) -> Tensor:
    """Any shape and strides over the storage. Differentiable where the tensor fills its storage in
    order.
    """
    size, stride = shapes.as_ints(size, "as_strided"), shapes.as_ints(stride, "as_strided")
    offset = input.storage_offset() if storage_offset is None else int(storage_offset)
    room = input.storage_size()
    if shapes.extent(size, stride, offset) > room or offset < 0:
        raise ShapeError(
            "as_strided",
            "size",
            expected=f"a view inside the storage's {room} elements",
            got=f"{size} with strides {stride} from {offset}",
        )
    if input.requires_grad and not (input.is_contiguous() and input.storage_offset() == 0):
        if storage_offset is None:
            offset = 0  # the clone begins where its storage does
        input = clone(input)
    return views.as_strided(input, size, stride, offset)


def unbind(input: Tensor, dim: int = 0) -> tuple[Tensor, ...]:
    """The slices along an axis, which goes away."""
    dim = shapes.normalize_dim(dim, len(input.shape), "unbind")
    return tuple([views.select(input, dim, index) for index in range(input.shape[dim])])


def split(
    tensor: Tensor, split_size_or_sections: int | Sequence[int], dim: int = 0
) -> tuple[Tensor, ...]:
    """Pieces of an axis: of one size, the last possibly smaller, or of the sizes listed."""
    dim = shapes.normalize_dim(dim, len(tensor.shape), "split")
    size = tensor.shape[dim]
    wanted = split_size_or_sections
    if isinstance(wanted, int):
        if wanted < 0 or (wanted == 0 and size):
            raise ArgumentError("split", "split_size", expected="a positive size", got=wanted)
        cuts = [min(wanted, size - start) for start in range(0, size, wanted or 1)] or [size]
    else:
        cuts = list(wanted)
        if sum(cuts) != size or any(cut < 0 for cut in cuts):
            raise ShapeError(
                "split", "split_sizes", expected=f"sizes that add up to {size}", got=cuts
            )
    pieces: list[Tensor] = []
    start = 0
    for cut in cuts:
        pieces.append(views.slice_dim(tensor, dim, start, start + cut, 1))
        start += cut
    return tuple(pieces)


def unsafe_split(
    input: Tensor, split_size: int | Sequence[int], dim: int = 0
) -> tuple[Tensor, ...]:
    """`split`, whose pieces may be written in place, as all may here."""
    return split(input, split_size, dim)


def split_with_sizes(input: Tensor, split_sizes: Sequence[int], dim: int = 0) -> tuple[Tensor, ...]:
    """Pieces of an axis, of the sizes listed."""
    return split(input, list(split_sizes), dim)


def chunk(input: Tensor, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
    """At most `chunks` pieces of equal size, the last possibly smaller."""
    if chunks < 1:
        raise ArgumentError("chunk", "chunks", expected="at least 1", got=chunks)
    dim = shapes.normalize_dim(dim, len(input.shape), "chunk")
    size = input.shape[dim]
    if size == 0:
        return split(input, [0] * chunks, dim)
    return split(input, -(-size // chunks), dim)


def tensor_split(
    input: Tensor,
    indices_or_sections: Any = None,
    dim: int = 0,
    *,
    sections: int | None = None,
    indices: Sequence[int] | None = None,
    tensor_indices_or_sections: Any = None,
) -> tuple[Tensor, ...]:
    """Pieces of an axis: so many, of sizes that differ by one at most, or cut where listed; the
    number or the list may be a tensor.
    """
    cuts = _one_of(
        "tensor_split", indices_or_sections, sections, indices, tensor_indices_or_sections
    )
    dim = shapes.normalize_dim(dim, len(input.shape), "tensor_split")
    size = input.shape[dim]
    if isinstance(cuts, int):
        if cuts < 1:
            raise ArgumentError("tensor_split", "sections", expected="at least 1", got=cuts)
        least, more = divmod(size, cuts)
        return split(input, [least + (i < more) for i in range(cuts)], dim)
    edges = [0, *cuts, size]
    return tuple(
        [
            views.slice_dim(input, dim, start, max(*_bounds(start, stop, size)), 1)
            for start, stop in pairwise(edges)
        ]
    )


def hsplit(
    input: Tensor,
    indices_or_sections: Any = None,
    *,
    sections: int | None = None,
    indices: Sequence[int] | None = None,
) -> tuple[Tensor, ...]:
    """Pieces side by side: of axis 1, of a vector's only axis."""
    cuts = _one_of("hsplit", indices_or_sections, sections, indices)
    return _evenly(input, cuts, 0 if len(input.shape) == 1 else 1, "hsplit", 1)


def vsplit(
    input: Tensor,
    indices_or_sections: Any = None,
    *,
    sections: int | None = None,
    indices: Sequence[int] | None = None,
) -> tuple[Tensor, ...]:
    """Pieces one above the other: of axis 0 of at least two."""
    return _evenly(input, _one_of("vsplit", indices_or_sections, sections, indices), 0, "vsplit", 2)


def dsplit(
    input: Tensor,
    indices_or_sections: Any = None,
    *,
    sections: int | None = None,
    indices: Sequence[int] | None = None,
) -> tuple[Tensor, ...]:
    """Pieces one behind the other: of axis 2."""
    return _evenly(input, _one_of("dsplit", indices_or_sections, sections, indices), 2, "dsplit", 3)


def _one_of(operator: str, *given: Any) -> Any:
    """How many pieces, or where to cut, whichever argument says so."""
    found = [each for each in given if each is not None]
    if len(found) != 1:
        raise ArgumentError(
            operator,
            "indices_or_sections",
            expected="a number of pieces, or the places to cut at",
            got=found or None,
        )
    cuts: Any = found[0]
    return cuts if isinstance(cuts, int | Sequence) else cuts.tolist()


def _evenly(
    input: Tensor, cuts: int | Sequence[int], dim: int, operator: str, least: int
) -> tuple[Tensor, ...]:
    if len(input.shape) < least:
        raise ShapeError(operator, "input", expected=f"at least {least} axes", got=input.shape)
    if isinstance(cuts, int) and (cuts < 1 or input.shape[dim] % cuts):
        raise ArgumentError(
            operator, "sections", expected=f"a divisor of {input.shape[dim]}", got=cuts
        )
    return tensor_split(input, cuts, dim)


def _bounds(start: int, stop: int, size: int) -> tuple[int, int]:
    low = max(start + size if start < 0 else start, 0)
    high = min(max(stop + size if stop < 0 else stop, 0), size)
    return min(low, size), high


def real(input: Tensor) -> Tensor:
    """The real part, as a view; a real tensor is its own."""
    return views.select(views.view_as_real(input), -1, 0) if input.dtype.is_complex else input


def imag(input: Tensor) -> Tensor:
    """The imaginary part, as a view."""
    if not input.dtype.is_complex:
        raise DtypeError("imag", "input", expected="a complex dtype", got=input.dtype)
    return views.select(views.view_as_real(input), -1, 1)
