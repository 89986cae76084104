"""Fourier transforms against NumPy, with derivatives and errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import plugrad as pg
from plugrad import fft
from plugrad.errors import ArgumentError, DtypeError, PlugradError, RangeError, ShapeError

from .helpers import check_gradients


def reals(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(shape)


def complexes(*shape: int) -> np.ndarray:
    return reals(*shape) + 1j * reals(*shape, 2)[..., 1]


ONE = ["fft", "ifft", "rfft", "irfft", "hfft", "ihfft"]
SEVERAL = ["fft2", "ifft2", "rfft2", "irfft2", "fftn", "ifftn", "rfftn", "irfftn"]


def operand(name: str, *shape: int) -> np.ndarray:
    return reals(*shape) if name.startswith(("rfft", "ihfft")) else complexes(*shape)


@pytest.mark.parametrize("norm", [None, "ortho", "forward"])
@pytest.mark.parametrize("n", [None, 3, 8])
@pytest.mark.parametrize("name", ONE)
def test_transform_along_one_axis_is_numpys(name: str, n: int | None, norm: str | None) -> None:
    x = operand(name, 2, 5, 3)
    out = getattr(fft, name)(pg.tensor(x), n, 1, norm)
    want = getattr(np.fft, name)(x, n, 1, norm)
    np.testing.assert_allclose(out.numpy(), want, atol=1e-12, strict=True)


@pytest.mark.parametrize("sizes", [None, (3, 6)])
@pytest.mark.parametrize("name", SEVERAL)
def test_transform_along_several_axes_is_numpys(name: str, sizes: Any) -> None:
    x = operand(name, 2, 5, 4)
    out = getattr(fft, name)(pg.tensor(x), sizes, (0, 2))
    want = getattr(np.fft, name)(x, sizes, (0, 2))
    np.testing.assert_allclose(out.numpy(), want, atol=1e-12, strict=True)


@pytest.mark.parametrize("kind", ["2", "n"])
def test_hermitian_transforms_undo_each_other(kind: str) -> None:
    x = pg.tensor(reals(3, 4, 6))
    half = getattr(fft, f"ihfft{kind}")(x)
    whole = getattr(fft, f"hfft{kind}")(half, x.shape[-2:] if kind == "2" else x.shape)
    np.testing.assert_allclose(whole.numpy(), x.numpy(), atol=1e-12)


def test_transform_of_integers_is_of_default_floats_and_singles_stay_single() -> None:
    assert fft.fft(pg.arange(4)).dtype is pg.complex64
    assert fft.rfft(pg.ones(4)).dtype is pg.complex64
    assert fft.irfft(pg.ones(4)).dtype is pg.float32


@pytest.mark.parametrize("name", ONE)
def test_gradient_of_a_transform_is_its_slope(name: str) -> None:
    def parts(x: pg.Tensor) -> pg.Tensor:
        given = x if name.startswith(("rfft", "ihfft")) else pg.view_as_complex(x)
        out = getattr(fft, name)(given, 6, 0)
        return pg.view_as_real(out) if out.is_complex() else out

    check_gradients(parts, reals(5, 2))


def test_vmap_and_forward_mode_go_through_a_transform() -> None:
    x, t = pg.tensor(reals(3, 4, 5)), pg.tensor(reals(3, 4, 5) ** 2)
    mapped = pg.func.vmap(lambda row: fft.rfft(row, dim=0))(x)
    np.testing.assert_allclose(mapped.numpy(), np.fft.rfft(x.numpy(), axis=1))
    _, moved = pg.func.jvp(lambda x: fft.fftn(x, dim=(0, 2)), (x,), (t,))
    np.testing.assert_allclose(moved.numpy(), np.fft.fftn(t.numpy(), axes=(0, 2)), atol=1e-12)


@pytest.mark.parametrize("n", [1, 4, 5])
def test_frequencies_are_numpys(n: int) -> None:
    np.testing.assert_allclose(fft.fftfreq(n, 0.5).numpy(), np.fft.fftfreq(n, 0.5))
    np.testing.assert_allclose(fft.rfftfreq(n, 0.5).numpy(), np.fft.rfftfreq(n, 0.5))


@pytest.mark.parametrize("dim", [None, 0, (0, 2)])
def test_shifts_are_numpys(dim: Any) -> None:
    x = reals(3, 4, 5)
    np.testing.assert_array_equal(fft.fftshift(pg.tensor(x), dim).numpy(), np.fft.fftshift(x, dim))
    np.testing.assert_array_equal(
        fft.ifftshift(pg.tensor(x), dim).numpy(), np.fft.ifftshift(x, dim)
    )


@pytest.mark.parametrize(
    ("call", "error", "said"),
    [
        (lambda: fft.rfft(pg.ones(3, dtype=pg.complex64)), DtypeError, "a real dtype"),
        (lambda: fft.fft(pg.ones(3, dtype=pg.float16)), DtypeError, "float32"),
        (lambda: fft.fft(pg.ones(3), 0), ShapeError, "at least one element"),
        (lambda: fft.irfft(pg.ones(1)), ShapeError, "at least one element"),
        (lambda: fft.fft(pg.ones(3), norm="x"), ArgumentError, "'backward'"),
        (lambda: fft.fft(pg.ones(3), dim=1), RangeError, "axis"),
        (lambda: fft.fft(pg.tensor(1.0)), RangeError, "none"),
        (lambda: fft.rfftn(pg.tensor(1.0)), ShapeError, "at least one axis"),
        (lambda: fft.fftn(pg.ones(3), (1, 2)), ShapeError, "at most 1"),
        (lambda: fft.fftn(pg.ones(3, 3), (2,), (0, 1)), ShapeError, "2 sizes"),
        (lambda: fft.fftn(pg.ones(3, 3), None, (0, 0)), ArgumentError, "once"),
    ],
)
def test_call_that_makes_no_sense_is_refused(
    call: Any, error: type[PlugradError], said: str
) -> None:
    with pytest.raises(error, match=said):
        call()


# short pieces -------------------------------------------------------------------------------------


def test_spectra_of_pieces_are_numpys() -> None:
    x, window = reals(2, 20), np.hanning(8)[:6] + 0.1
    found = pg.stft(
        pg.tensor(x), 8, 3, 6, pg.tensor(window), pad_mode="reflect", return_complex=True
    )
    continued = np.pad(x, ((0, 0), (4, 4)), "reflect")
    weights = np.pad(window, (1, 1))
    want = [np.fft.rfft(continued[:, at : at + 8] * weights) for at in range(0, 21, 3)]
    np.testing.assert_allclose(found.numpy(), np.stack(want, 2), atol=1e-12)


@pytest.mark.parametrize("mode", ["reflect", "replicate", "circular", "constant"])
@pytest.mark.parametrize("kind", [reals, complexes])
def test_signal_comes_back_from_its_spectra(mode: str, kind: Any) -> None:
    x = pg.tensor(kind(2, 24))
    window = pg.tensor(np.hanning(9)[:8] + 0.1)
    options = {"window": window, "normalized": True}
    spectra = pg.stft(x, 8, **options, pad_mode=mode, return_complex=True)
    options |= {"return_complex": True} if x.is_complex() else {}
    back = pg.istft(spectra, 8, **options, onesided=not x.is_complex())
    np.testing.assert_allclose(back.numpy(), x.numpy(), atol=1e-12)
    short = pg.istft(spectra, 8, **options, onesided=not x.is_complex(), length=20)
    np.testing.assert_allclose(short.numpy(), x.numpy()[:, :20], atol=1e-12)
    assert pg.istft(spectra, 8, **options, onesided=not x.is_complex(), length=30).shape == (2, 30)


def test_spectra_of_pieces_and_their_inverse_are_differentiable() -> None:
    window = np.hanning(7)[:6] + 0.2

    def there_and_back(x: pg.Tensor, window: pg.Tensor) -> pg.Tensor:
        spectra = pg.stft(x, 6, 2, window=window, return_complex=True)
        return pg.istft(spectra * spectra.abs(), 6, 2, window=window)

    check_gradients(there_and_back, reals(11), window, second_order=False)


@pytest.mark.parametrize(
    ("call", "error", "said"),
    [
        (lambda x: pg.stft(x, 4), ArgumentError, "return_complex"),
        (lambda x: pg.stft(x, 0, return_complex=True), ArgumentError, "n_fft"),
        (lambda x: pg.stft(x, 4, 0, return_complex=True), ArgumentError, "hop_length"),
        (lambda x: pg.stft(x, 4, win_length=5, return_complex=True), ArgumentError, "from 1 to 4"),
        (lambda x: pg.stft(x, 4, window=pg.ones(3), return_complex=True), ShapeError, "window"),
        (lambda x: pg.stft(x, 4, pad_mode="x", return_complex=True), ArgumentError, "'reflect'"),
        (lambda x: pg.stft(x, 40, return_complex=True), ShapeError, "more than 20"),
        (lambda x: pg.stft(x, 40, center=False, return_complex=True), ShapeError, "at least n_fft"),
        (lambda x: pg.stft(x[0, 0], 4, return_complex=True), ShapeError, r"\(L,\) or \(B, L\)"),
        (lambda x: pg.stft(x * 1j, 4, onesided=True), ArgumentError, "False"),
        (lambda x: pg.istft(x, 4), DtypeError, "complex"),
        (lambda x: pg.istft(x * 1j, 4), ShapeError, "pieces"),
        (
            lambda x: pg.istft(pg.ones(5, 6) * 1j, 8, window=pg.zeros(8)),
            ArgumentError,
            "overlap",
        ),
        (
            lambda x: pg.istft(pg.ones(5, 6) * 1j, 8, return_complex=True),
            ArgumentError,
            "onesided",
        ),
    ],
)
def test_pieces_that_make_no_sense_are_refused(
    call: Any, error: type[PlugradError], said: str
) -> None:
    with pytest.raises(error, match=said):
        call(pg.ones(2, 12))
