"""Images looked at through a grid: at any places, which may depend on what is learnt (M. Jaderberg
et al., Spatial transformer networks, arXiv 1506.02025).

A place is (x, y) or (x, y, z), the last spatial axis first, from -1 to 1 across the image.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from itertools import product

from plugrad.creation import DeviceLike, linspace, ones
from plugrad.dtypes import DType, int64
from plugrad.errors import ArgumentError, DtypeError, ShapeError, UnsupportedError
from plugrad.functions.joining import stack
from plugrad.ops.comparison import where
from plugrad.ops.elementwise import clamp_max, clamp_min, floor, fmod
from plugrad.ops.elementwise import round as nearest_integer
from plugrad.ops.indexing import gather
from plugrad.ops.linalg import matmul
from plugrad.ops.views import expand, reshape
from plugrad.shapes import as_ints, numel
from plugrad.tensor import Tensor

_MODES = ("bilinear", "nearest", "bicubic")
_PADDINGS = ("zeros", "border", "reflection")


def affine_grid(theta: Tensor, size: Sequence[int], align_corners: bool | None = None) -> Tensor:
    """Where affine maps `theta`, (N, 2, 3) or (N, 3, 4), take the places of an image of `size`,
    (N, C, H, W) or (N, C, D, H, W), to: (N, H, W, 2) or (N, D, H, W, 3).
    """
    aligned = _aligned("affine_grid", align_corners)
    sizes = as_ints(tuple(size), "affine_grid", "size")
    if not theta.is_floating_point():
        raise ArgumentError(
            "affine_grid", "theta", expected="a floating dtype", got=theta.dtype, hint="cast it"
        )
    spatial = len(sizes) - 2
    if spatial not in (2, 3):
        raise UnsupportedError(
            "affine_grid", "size", expected="(N, C, H, W) or (N, C, D, H, W)", got=sizes
        )
    wanted = (sizes[0], spatial, spatial + 1)
    if tuple(theta.shape) != wanted:
        raise ArgumentError(
            "affine_grid", "theta", expected=f"shape {wanted}", got=tuple(theta.shape)
        )
    if min(sizes) < 1:
        raise ArgumentError("affine_grid", "size", expected="sizes of at least 1", got=sizes)
    columns = []
    for axis in reversed(range(spatial)):
        count = sizes[axis + 2]
        line = _line(count, aligned, theta.dtype, theta.device)
        shape = [1] * spatial
        shape[axis] = count
        columns.append(expand(line.reshape(*shape), sizes[2:]))
    columns.append(ones(*sizes[2:], dtype=theta.dtype, device=theta.device))
    base = reshape(stack(columns, -1), (numel(sizes[2:]), spatial + 1))
    return reshape(matmul(base, theta.transpose(1, 2)), (sizes[0], *sizes[2:], spatial))


def _line(count: int, aligned: bool, dtype: DType, device: DeviceLike) -> Tensor:
    """The centres of `count` elements, or from edge to edge where corners are aligned."""
    if aligned and count == 1:
        return linspace(0, 0, 1, dtype=dtype, device=device)
    end = 1.0 if aligned else (count - 1) / count
    return linspace(-end, end, count, dtype=dtype, device=device)


def grid_sample(
    input: Tensor,
    grid: Tensor,
    mode: str = "bilinear",
    padding_mode: str = "zeros",
    align_corners: bool | None = None,
) -> Tensor:
    """What (N, C, H, W) shows at the places `grid` (N, OH, OW, 2): (N, C, OH, OW); or with one axis
    more each.

    Between elements, `mode` takes the nearest, weighs the neighbours ("bilinear", in three
    dimensions too), or, in two, goes by cubic curves ("bicubic", a = -0.75). Outside are "zeros",
    the "border", or the image's "reflection". -1 and 1 are the centres of the outermost elements
    with `align_corners`, else the image's edges.
    """
    name = "grid_sample"
    for argument, given, known in (
        ("mode", mode, _MODES),
        ("padding_mode", padding_mode, _PADDINGS),
    ):
        if given not in known:
            raise ArgumentError(name, argument, expected=f"one of {known}", got=repr(given))
    aligned = _aligned(name, align_corners)
    spatial = input.ndim - 2
    _check(name, input, grid, spatial)
    if mode == "bicubic" and spatial != 2:
        raise UnsupportedError(name, "mode", expected="two spatial axes for 'bicubic'", got=spatial)
    sizes = tuple(input.shape[2:])
    flat = reshape(input, (*input.shape[:2], numel(sizes)))
    # By axis of the input: the last coordinate is the first axis's.
    places = [
        _scaled(grid[..., spatial - 1 - axis], size, aligned) for axis, size in enumerate(sizes)
    ]
    inside = _inside(padding_mode, aligned)
    if mode == "bicubic":
        terms = [_cubic(place) for place in places]
    else:
        places = [inside(place, size) for place, size in zip(places, sizes)]
        terms = [_nearest(place) if mode == "nearest" else _linear(place) for place in places]
    if mode == "bicubic":
        terms = [[(inside(at, n), w) for at, w in axis] for axis, n in zip(terms, sizes)]
    total = None
    for taps in product(*terms):
        term = _tap(flat, sizes, taps)
        total = term if total is None else total + term
    assert total is not None
    return reshape(total, (*input.shape[:2], *grid.shape[1:-1]))


def _check(name: str, input: Tensor, grid: Tensor, spatial: int) -> None:
    if spatial not in (2, 3):
        raise ShapeError(
            name, "input", expected="(N, C, H, W) or (N, C, D, H, W)", got=tuple(input.shape)
        )
    if grid.ndim != spatial + 2 or (grid.shape[0], grid.shape[-1]) != (input.shape[0], spatial):
        raise ShapeError(
            name,
            "grid",
            expected=f"{spatial + 2} axes, {input.shape[0]} first and {spatial} last",
            got=tuple(grid.shape),
        )
    if min(input.shape[2:]) < 1:
        raise ShapeError(name, "input", expected="spatial sizes not 0", got=tuple(input.shape))
    if not input.is_floating_point() or grid.dtype is not input.dtype:
        raise DtypeError(
            name,
            "grid",
            expected=f"the input's dtype {input.dtype}, and a floating one",
            got=grid.dtype,
        )


def _aligned(name: str, align_corners: bool | None) -> bool:
    if align_corners is None:
        warnings.warn(
            f"{name}: align_corners is taken as False, as it is since PyTorch 1.3.0; say which.",
            stacklevel=3,
        )
    return bool(align_corners)


# places -------------------------------------------------------------------------------------------


def _scaled(place: Tensor, size: int, aligned: bool) -> Tensor:
    """From -1 to 1 to positions in an axis."""
    return (place + 1) * ((size - 1) / 2) if aligned else ((place + 1) * size - 1) / 2


def _inside(padding_mode: str, aligned: bool) -> Callable[[Tensor, int], Tensor]:
    """What is looked at in place of a position outside."""
    if padding_mode == "zeros":
        return lambda place, size: place
    if padding_mode == "border":
        return _bordered
    return lambda place, size: _bordered(_reflected(place, size, aligned), size)


def _bordered(place: Tensor, size: int) -> Tensor:
    kept = (place > 0) & (place < size - 1)
    return where(kept, place, clamp_max(clamp_min(place.detach(), 0), size - 1))


def _reflected(place: Tensor, size: int, aligned: bool) -> Tensor:
    """Mirrored at the outermost centres, or at the edges, as often as it takes."""
    low = 0.0 if aligned else -0.5
    span = size - 1 if aligned else size
    if not span:
        return place * 0
    distance = place - low
    distance = where(distance < 0, -distance, distance)
    rest = fmod(distance, span)
    times = floor(distance.detach() / span)
    return where(fmod(times, 2) == 0, rest, span - rest) + low


# neighbours ---------------------------------------------------------------------------------------

_Term = tuple[Tensor, Tensor | None]


def _nearest(place: Tensor) -> list[_Term]:
    return [(nearest_integer(place.detach()), None)]


def _linear(place: Tensor) -> list[_Term]:
    low = floor(place.detach())
    share = place - low
    return [(low, 1 - share), (low + 1, share)]


def _cubic(place: Tensor) -> list[_Term]:
    low = floor(place.detach())
    t = place - low
    u = 1 - t
    a = -0.75
    return [
        (low - 1, _far(t + 1, a)),
        (low, _near(t, a)),
        (low + 1, _near(u, a)),
        (low + 2, _far(u + 1, a)),
    ]


def _near(x: Tensor, a: float) -> Tensor:
    """R. Keys's curve up to a distance of 1."""
    return ((a + 2) * x - (a + 3)) * x * x + 1


def _far(x: Tensor, a: float) -> Tensor:
    """R. Keys's curve from a distance of 1 to 2."""
    return ((x - 5) * x + 8) * x * a - 4 * a


def _tap(flat: Tensor, sizes: tuple[int, ...], taps: Sequence[_Term]) -> Tensor:
    """One neighbour of every place, times the product of its weights; nothing where it lies
    outside.
    """
    position = weight = seen = None
    for (at, share), size in zip(taps, sizes):
        within = (at >= 0) & (at < size)
        here = where(within, at, 0).to(int64)
        position = here if position is None else position * size + here
        seen = within if seen is None else seen & within
        if share is not None:
            weight = share if weight is None else weight * share
    assert position is not None
    assert seen is not None
    count = numel(position.shape[1:])
    batch, channels = flat.shape[:2]
    row = (batch, 1, count)
    index = expand(reshape(position, row), (batch, channels, count))
    values = where(reshape(seen, row), gather(flat, index, 2), 0)
    return values if weight is None else values * reshape(weight, row)
