"""Images enlarged, reduced and looked at through a grid, held against sums over all elements."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest

import plugrad as pg
import plugrad.nn.functional as F
from plugrad import nn
from plugrad.errors import ArgumentError, DtypeError, ShapeError, UnsupportedError

from .helpers import check_gradients

rng = np.random.default_rng(29)


def triangle(x: float) -> float:
    return max(0.0, 1 - abs(x))


def keys(x: float, a: float) -> float:
    x = abs(x)
    if x <= 1:
        return (a + 2) * x**3 - (a + 3) * x**2 + 1
    return a * x**3 - 5 * a * x**2 + 8 * a * x - 4 * a if x < 2 else 0.0


def matrix(own: int, wanted: int, step: float, aligned: bool, curve: str) -> np.ndarray:
    """What each element of a line gives to each of the new one: a sum over the line continued by
    its edges.
    """
    out = np.zeros((wanted, own))
    for i in range(wanted):
        place = i * step if aligned else (i + 0.5) * step - 0.5
        for at in range(-3, own + 3):
            weight = triangle(place - at) if curve == "linear" else keys(place - at, -0.75)
            out[i, min(max(at, 0), own - 1)] += weight
    return out


def steps(own: int, wanted: int, factor: float | None, aligned: bool) -> float:
    if aligned:
        return (own - 1) / (wanted - 1) if wanted > 1 else 0
    return 1 / factor if factor else own / wanted


SMOOTH = [("linear", (5,)), ("bilinear", (5, 4)), ("bicubic", (4, 5)), ("trilinear", (2, 4, 3))]


@pytest.mark.parametrize("aligned", [True, False])
@pytest.mark.parametrize(("mode", "sizes"), SMOOTH)
@pytest.mark.parametrize("factor", [None, 1.7, 0.6])
def test_smooth_modes_weigh_the_neighbours(
    mode: str, sizes: tuple[int, ...], factor: float | None, aligned: bool
) -> None:
    x = rng.standard_normal((2, 3, *sizes))
    wanted = [3, 7, 4][: len(sizes)] if factor is None else [int(n * factor) for n in sizes]
    expected = x
    for axis, (own, new) in enumerate(zip(sizes, wanted, strict=True)):
        curve = "cubic" if mode == "bicubic" else "linear"
        lines = matrix(own, new, steps(own, new, factor, aligned), aligned, curve)
        expected = np.moveaxis(np.tensordot(expected, lines, (axis + 2, 1)), -1, axis + 2)
    given = {"size": wanted} if factor is None else {"scale_factor": factor}
    found = F.interpolate(pg.tensor(x), **given, mode=mode, align_corners=aligned)
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-12)


@pytest.mark.parametrize("mode", ["nearest", "nearest-exact"])
@pytest.mark.parametrize("sizes", [(5,), (3, 4), (2, 3, 2)])
@pytest.mark.parametrize("factor", [1, 2, 3, 1.5, 0.5])
def test_nearest_modes_repeat_and_leave_out(
    mode: str, sizes: tuple[int, ...], factor: float
) -> None:
    x = rng.standard_normal((2, 3, *sizes))
    wanted = [int(n * factor) for n in sizes]
    shift = 0.5 if mode == "nearest-exact" else 0.0
    expected = x
    for axis, (own, new) in enumerate(zip(sizes, wanted, strict=True)):
        places = [min(int((i + shift) / factor), own - 1) for i in range(new)]
        expected = expected.take(places, axis + 2)
    found = F.interpolate(pg.tensor(x), scale_factor=factor, mode=mode)
    assert np.array_equal(found.numpy(), expected)
    by_size = F.interpolate(pg.tensor(x), size=wanted, mode=mode)
    assert by_size.shape == found.shape


def test_area_is_the_mean_of_what_an_element_covers() -> None:
    x = rng.standard_normal((1, 2, 4, 6))
    found = F.interpolate(pg.tensor(x), scale_factor=0.5, mode="area")
    np.testing.assert_allclose(found.numpy(), x.reshape(1, 2, 2, 2, 3, 2).mean((3, 5)))


@pytest.mark.parametrize(("mode", "reach"), [("bilinear", 1), ("bicubic", 2), ("lanczos", 3)])
def test_antialias_widens_the_weights_where_an_image_is_reduced(mode: str, reach: int) -> None:
    curves = {
        "bilinear": triangle,
        "bicubic": lambda x: keys(x, -0.5),
        "lanczos": lambda x: np.sinc(x) * np.sinc(x / 3) if abs(x) < 3 else 0.0,
    }
    x = rng.standard_normal((1, 1, 13, 5))
    lines = np.zeros((4, 13))
    for i, at in product(range(4), range(13)):
        centre, width = (i + 0.5) * 13 / 4, 13 / 4
        if int(centre - reach * width + 0.5) <= at < int(centre + reach * width + 0.5):
            lines[i, at] = curves[mode]((at + 0.5 - centre) / width)
    lines /= lines.sum(1, keepdims=True)
    found = F.interpolate(pg.tensor(x), size=(4, 5), mode=mode, antialias=True)
    np.testing.assert_allclose(found.numpy(), np.einsum("oi,ncij->ncoj", lines, x))


def test_a_recomputed_factor_is_that_of_the_sizes() -> None:
    x = pg.tensor(rng.standard_normal((1, 1, 5)))
    given = {"scale_factor": 1.5, "mode": "linear"}
    by_size = F.interpolate(x, size=7, mode="linear").tolist()
    assert F.interpolate(x, **given, recompute_scale_factor=True).tolist() == by_size
    assert F.interpolate(x, **given).tolist() != by_size


RESIZED = [
    *[((1, 2, 3), {"size": 7, "mode": mode}) for mode in ("nearest", "linear", "area")],
    ((1, 2, 2, 3), {"scale_factor": 2.0}),
    ((1, 1, 3, 4), {"size": (5, 2), "mode": "bicubic"}),
    ((1, 1, 6, 5), {"size": (2, 3), "mode": "bilinear", "antialias": True}),
]


@pytest.mark.parametrize(("shape", "given"), RESIZED)
def test_resampling_has_gradients(shape: tuple[int, ...], given: dict[str, object]) -> None:
    check_gradients(lambda x: F.interpolate(x, **given), rng.standard_normal(shape))


def test_a_hole_in_an_image_stays_where_it_is() -> None:
    x = pg.zeros(1, 1, 8)
    x[..., 4] = float("nan")
    found = F.interpolate(x, scale_factor=2, mode="linear")
    assert [i for i in range(16) if math.isnan(found[0, 0, i].item())] == [7, 8, 9, 10]


def test_layers_and_older_names_resample_alike() -> None:
    x = pg.tensor(rng.standard_normal((1, 2, 3, 4)))
    expected = F.interpolate(x, scale_factor=2.0).tolist()
    assert nn.Upsample(scale_factor=2)(x).tolist() == expected
    assert nn.UpsamplingNearest2d(scale_factor=2)(x).tolist() == expected
    smooth = F.interpolate(x, (6, 8), mode="bilinear", align_corners=True).tolist()
    assert nn.UpsamplingBilinear2d(scale_factor=2)(x).tolist() == smooth
    for older, wanted in ((F.upsample_nearest, expected), (F.upsample_bilinear, smooth)):
        with pytest.warns(UserWarning, match=r"Use `nn.functional.interpolate`"):
            assert older(x, scale_factor=2).tolist() == wanted
    with pytest.warns(UserWarning, match=r"Use `nn.functional.interpolate`"):
        assert F.upsample(x, scale_factor=2).tolist() == expected
    assert repr(nn.Upsample(scale_factor=2)) == "Upsample(scale_factor=2.0, mode='nearest')"
    assert repr(nn.Upsample(7, mode="linear")) == "Upsample(size=7, mode='linear')"


REFUSED = [
    ((1, 1, 4), {"size": 3, "mode": "cubic"}, UnsupportedError, "mode"),
    ((1, 1, 4), {"size": 3, "mode": "bilinear"}, UnsupportedError, "input"),
    ((1, 4), {"size": 3}, UnsupportedError, "input"),
    ((1, 1, 4), {}, ArgumentError, "either a size or a scale_factor"),
    ((1, 1, 4), {"size": 3, "scale_factor": 2}, ArgumentError, "either a size"),
    ((1, 1, 4), {"size": 3, "align_corners": True}, ArgumentError, "align_corners"),
    ((1, 1, 4), {"size": (3, 4)}, ArgumentError, "one int or 1"),
    ((1, 1, 4), {"scale_factor": (3, 4)}, ArgumentError, "one for each of 1"),
    ((1, 1, 4), {"size": 3, "recompute_scale_factor": True}, ArgumentError, "recompute"),
    ((1, 1, 4), {"size": 3, "mode": "linear", "antialias": True}, ArgumentError, "antialias"),
    ((1, 1, 4, 4), {"size": 3, "mode": "lanczos"}, ArgumentError, "antialias alone"),
    ((1, 1, 4), {"size": 0}, UnsupportedError, "at least 1"),
]


@pytest.mark.parametrize(("shape", "given", "error", "words"), REFUSED)
def test_resampling_refuses_what_makes_no_sense(
    shape: tuple[int, ...], given: dict[str, object], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        F.interpolate(pg.ones(shape), **given)


def test_weights_need_floats() -> None:
    with pytest.raises(DtypeError, match="floating dtype"):
        F.interpolate(pg.ones(1, 1, 4, dtype=pg.int64), size=3, mode="linear")


# grids


def look(image: np.ndarray, at: np.ndarray, mode: str, padding: str, aligned: bool) -> float:
    """What a plane shows at one place (x, y), as a sum over all its elements and beyond."""

    def moved(place: float, size: int) -> float:
        low, high = (0.0, size - 1.0) if aligned else (-0.5, size - 0.5)
        if padding == "reflection":
            while not low <= place <= high:
                place = 2 * low - place if place < low else 2 * high - place
        if padding != "zeros":
            place = min(max(place, 0.0), size - 1.0)
        return place

    sizes = image.shape
    places = [
        (each + 1) / 2 * (n - 1) if aligned else ((each + 1) * n - 1) / 2
        for each, n in zip(at[::-1], sizes, strict=True)
    ]
    if mode != "bicubic":
        places = [moved(place, n) for place, n in zip(places, sizes, strict=True)]
    if mode == "nearest":
        places = [float(np.round(place)) for place in places]
    total = 0.0
    around = [range(int(place) - 4, int(place) + 5) for place in places]
    for taps in product(*around):
        weight = 1.0
        for place, tap in zip(places, taps, strict=True):
            weight *= keys(place - tap, -0.75) if mode == "bicubic" else triangle(place - tap)
        seen = [moved(tap, n) for tap, n in zip(taps, sizes, strict=True)]
        if all(0 <= s < n for s, n in zip(seen, sizes, strict=True)):
            total += weight * image[tuple(int(s) for s in seen)]
    return total


@pytest.mark.parametrize("aligned", [True, False])
@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
@pytest.mark.parametrize(
    ("mode", "sizes"),
    [("nearest", (4, 3)), ("bilinear", (4, 3)), ("bicubic", (4, 3)), ("bilinear", (2, 4, 3))],
)
def test_a_grid_shows_the_image_at_its_places(
    mode: str, sizes: tuple[int, ...], padding: str, aligned: bool
) -> None:
    x, grid = rng.standard_normal((2, 2, *sizes)), rng.uniform(-2, 2, (2, 5, len(sizes)))
    grid = grid.reshape(2, 5, *(1,) * (len(sizes) - 1), len(sizes))
    given = {"mode": mode, "padding_mode": padding, "align_corners": aligned}
    found = F.grid_sample(pg.tensor(x), pg.tensor(grid), **given)
    assert found.shape == (2, 2, 5, *(1,) * (len(sizes) - 1))
    found = found.numpy().reshape(2, 2, 5)
    for n, c, i in product(range(2), range(2), range(5)):
        place = grid[n, i].reshape(-1)
        assert found[n, c, i] == pytest.approx(look(x[n, c], place, mode, padding, aligned))


@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
def test_grids_have_gradients_by_image_and_place(mode: str, padding: str) -> None:
    # Away from the creases, at which differences see both sides.
    grid = rng.uniform(-0.9, 0.9, (1, 2, 2, 2))
    check_gradients(
        lambda x, grid: F.grid_sample(x, grid, mode, padding, False),
        *(rng.standard_normal((1, 1, 3, 3)), grid),
        second_order=False,
    )


@pytest.mark.parametrize("aligned", [True, False])
def test_the_affine_identity_shows_the_image_itself(aligned: bool) -> None:
    for sizes in ((3, 4), (2, 3, 4)):
        x = pg.tensor(rng.standard_normal((2, 2, *sizes)))
        theta = pg.eye(len(sizes), len(sizes) + 1, dtype=pg.float64).expand(2, -1, -1)
        grid = F.affine_grid(theta, x.shape, aligned)
        assert grid.shape == (2, *sizes, len(sizes))
        np.testing.assert_allclose(F.grid_sample(x, grid, align_corners=aligned).numpy(), x.numpy())


def test_affine_grids_move_and_have_gradients() -> None:
    theta = np.array([[[0.0, -1.0, 0.25], [1.0, 0.0, -0.5]]])
    found = F.affine_grid(pg.tensor(theta), (1, 1, 3, 2), False)
    # The element in the last row and column: x = 1/2, y = 2/3.
    np.testing.assert_allclose(found[0, 2, 1].numpy(), [-2 / 3 + 0.25, 0.5 - 0.5])
    check_gradients(lambda theta: F.affine_grid(theta, (1, 1, 3, 2), True), theta)


def test_grids_that_do_not_fit_are_refused() -> None:
    x, grid = pg.ones(1, 1, 3, 3), pg.zeros(1, 2, 2, 2)
    with pytest.raises(ArgumentError, match="mode: expected one of"):
        F.grid_sample(x, grid, "cubic")
    with pytest.raises(ArgumentError, match="padding_mode: expected one of"):
        F.grid_sample(x, grid, padding_mode="wrap")
    with pytest.raises(ShapeError, match="grid: expected 4 axes, 1 first and 2 last"):
        F.grid_sample(x, pg.zeros(2, 2, 2, 2), align_corners=True)
    with pytest.raises(ShapeError, match="input: expected"):
        F.grid_sample(x[0], grid, align_corners=True)
    with pytest.raises(DtypeError, match="grid: expected the input's dtype"):
        F.grid_sample(x, grid.double(), align_corners=True)
    with pytest.raises(UnsupportedError, match="two spatial axes for 'bicubic'"):
        F.grid_sample(x.unsqueeze(2), pg.zeros(1, 1, 2, 2, 3), "bicubic", align_corners=True)
    with pytest.warns(UserWarning, match="align_corners is taken as False"):
        F.grid_sample(x, grid)
    with pytest.raises(ArgumentError, match=r"theta: expected shape \(2, 2, 3\)"):
        F.affine_grid(pg.ones(1, 2, 3), (2, 1, 3, 3), True)
    with pytest.raises(UnsupportedError, match="size: expected"):
        F.affine_grid(pg.ones(1, 2, 3), (1, 1, 3), True)
    with pytest.raises(ArgumentError, match="theta: expected a floating dtype"):
        F.affine_grid(pg.ones(1, 2, 3, dtype=pg.int64), (1, 1, 3, 3), True)
    with pytest.raises(ArgumentError, match="size: expected sizes of at least 1"):
        F.affine_grid(pg.ones(1, 2, 3), (1, 1, 0, 3), False)
