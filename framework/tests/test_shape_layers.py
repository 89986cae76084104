"""Layers that move elements about: windows as columns, pixels for channels, borders."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

import plugrad as pg
import plugrad.nn.functional as F
from plugrad import nn
from plugrad.errors import ArgumentError, DtypeError, ShapeError, UnsupportedError

from .helpers import check_gradients

rng = np.random.default_rng(31)

# kernel, dilation, padding, stride
WINDOWS = [((3, 2), 1, 0, 1), ((2, 2), (1, 2), (1, 0), (2, 3)), ((3, 3), 2, 2, 1)]


def columns(x: np.ndarray, kernel: tuple[int, int], dilation, padding, stride) -> np.ndarray:  # type: ignore[no-untyped-def]
    (dh, dw), (ph, pw), (sh, sw) = (
        each if isinstance(each, tuple) else (each, each) for each in (dilation, padding, stride)
    )
    x = np.pad(x, ((0, 0), (0, 0), (ph, ph), (pw, pw)))
    heights = range(0, x.shape[2] - dh * (kernel[0] - 1), sh)
    widths = range(0, x.shape[3] - dw * (kernel[1] - 1), sw)
    seen = [
        x[:, :, h : h + dh * kernel[0] : dh, w : w + dw * kernel[1] : dw][
            :, :, : kernel[0], : kernel[1]
        ]
        for h, w in product(heights, widths)
    ]
    return np.stack([each.reshape(len(x), -1) for each in seen], 2)


@pytest.mark.parametrize("given", WINDOWS)
def test_unfold_makes_each_window_a_column_and_fold_is_its_adjoint(given: tuple) -> None:  # type: ignore[type-arg]
    x = rng.standard_normal((2, 3, 6, 7))
    found = nn.Unfold(*given)(pg.tensor(x))
    expected = columns(x, *given)
    np.testing.assert_array_equal(found.numpy(), expected)
    np.testing.assert_array_equal(F.unfold(pg.tensor(x[0]), *given).numpy(), expected[0])
    y = rng.standard_normal(expected.shape)
    back = nn.Fold((6, 7), *given)(pg.tensor(y))
    assert back.shape == x.shape
    assert (back.numpy() * x).sum() == pytest.approx((y * expected).sum())
    alone = F.fold(pg.tensor(y[0]), (6, 7), *given)
    np.testing.assert_allclose(alone.numpy(), back.numpy()[0])


def test_windows_as_columns_have_gradients_of_every_order() -> None:
    check_gradients(lambda x: F.unfold(x, 2, 1, 1, 2), rng.standard_normal((1, 2, 3, 4)))
    check_gradients(lambda y: F.fold(y, (3, 4), 2), rng.standard_normal((1, 4, 6)))


def test_pixels_are_traded_for_channels_and_back() -> None:
    x = rng.standard_normal((2, 12, 3, 2))
    given = pg.tensor(x)
    found = nn.PixelShuffle(2)(given)
    assert found.shape == (2, 3, 6, 4)
    for n, c, i, j, h, w in product(range(2), range(3), range(2), range(2), range(3), range(2)):
        assert found[n, c, 2 * h + i, 2 * w + j].item() == x[n, 4 * c + 2 * i + j, h, w]
    assert nn.PixelUnshuffle(2)(found).tolist() == x.tolist()
    assert F.pixel_shuffle(given[0], 2).tolist() == found[0].tolist()
    check_gradients(lambda x: F.pixel_shuffle(x, 2), x[:1, :4, :2])


def test_channels_of_groups_are_dealt_out_in_turn() -> None:
    x = pg.arange(6).reshape(1, 6, 1)
    assert nn.ChannelShuffle(2)(x).flatten().tolist() == [0, 3, 1, 4, 2, 5]
    assert F.channel_shuffle(x, 3).flatten().tolist() == [0, 2, 4, 1, 3, 5]


def test_moves_that_do_not_fit_are_refused() -> None:
    x = pg.ones(1, 6, 3, 3)
    with pytest.raises(ShapeError, match="a multiple of 4"):
        F.pixel_shuffle(x, 2)
    with pytest.raises(ShapeError, match="multiples of 2"):
        F.pixel_unshuffle(x, 2)
    with pytest.raises(ArgumentError, match="upscale_factor: expected at least 1"):
        F.pixel_shuffle(x, 0)
    with pytest.raises(ShapeError, match=r"\(\*, C, H, W\)"):
        F.pixel_shuffle(pg.ones(4, 4), 2)
    with pytest.raises(ArgumentError, match="a divisor of 6"):
        F.channel_shuffle(x, 4)
    with pytest.raises(ShapeError, match=r"\(N, C, \*\)"):
        F.channel_shuffle(pg.ones(4, 4), 2)
    with pytest.raises(ShapeError, match="a window that fits"):
        F.unfold(x, 4)
    with pytest.raises(ShapeError, match=r"\(N, C, H, W\)"):
        F.unfold(pg.ones(3, 3), 2)
    with pytest.raises(DtypeError, match="float or complex"):
        F.unfold(x.long(), 2)
    with pytest.raises(ShapeError, match=r"\(N, C \* 4, 4\)"):
        F.fold(pg.ones(1, 8, 5), 3, 2)
    with pytest.raises(ShapeError, match="without N"):
        F.fold(pg.ones(1, 1, 8, 4), 3, 2)


# borders

MODES = {
    "Constant": "constant",
    "Zero": "constant",
    "Reflection": "reflect",
    "Replication": "edge",
    "Circular": "wrap",
}


@pytest.mark.parametrize("spatial", [1, 2, 3])
@pytest.mark.parametrize("kind", MODES)
def test_padding_layers_pad_like_numpy(kind: str, spatial: int) -> None:
    x = rng.standard_normal((2, 3, 4, 5, 3)[: spatial + 2])
    pairs = ((1, 2), (0, 1), (2, 0))[:spatial]
    value = (7.0,) if kind == "Constant" else ()
    layer = getattr(nn, f"{kind}Pad{spatial}d")([n for p in pairs for n in p], *value)
    widths = ((0, 0), (0, 0), *reversed(pairs))
    options = {"constant_values": 7.0} if value else {}
    expected = np.pad(x, widths, MODES[kind], **options)
    np.testing.assert_array_equal(layer(pg.tensor(x)).numpy(), expected)
    np.testing.assert_array_equal(layer(pg.tensor(x[0])).numpy(), expected[0])
    same = getattr(nn, f"{kind}Pad{spatial}d")(1, *value)
    assert same.padding == (1,) * (2 * spatial)
    assert "value=7.0" in repr(same) if value else repr(same).endswith(f"({same.padding})")


def test_circular_padding_wraps_what_is_left() -> None:
    x = pg.arange(5.0).reshape(1, 5)
    assert nn.CircularPad1d((-1, 2))(x).tolist() == [[1, 2, 3, 4, 1, 2]]


def test_padding_layers_refuse_what_does_not_fit() -> None:
    with pytest.raises(ArgumentError, match="one int or 4"):
        nn.ReflectionPad2d((1, 2, 3))
    with pytest.raises(ShapeError, match="mode 'reflect' finds"):
        nn.ReflectionPad1d(3)(pg.ones(1, 3))
    with pytest.raises(UnsupportedError, match="1 to 3 spatial axes"):
        nn.ReplicationPad1d(1)(pg.ones(1, 1, 1, 3))
    with pytest.raises(ShapeError, match="2 or 3 axes"):
        nn.CircularPad1d(1)(pg.ones(1, 1, 1, 3))
