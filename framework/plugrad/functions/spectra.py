"""Fourier transforms of short pieces of a signal, there and back.

Griffin and Lim, "Signal estimation from modified short-time Fourier transform" (1984).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from plugrad.errors import ArgumentError, DtypeError, ShapeError
from plugrad.functions import joining
from plugrad.ops import creation, fourier, views
from plugrad.ops.joining import pad
from plugrad.ops.linalg import transpose

if TYPE_CHECKING:
    from plugrad.tensor import Tensor

# Below it the sum of the windows' squares counts as 0: what it multiplied is lost.
_LEAST = 1e-11


def stft(
    input: Tensor,
    n_fft: int,
    hop_length: int | None = None,
    win_length: int | None = None,
    window: Tensor | None = None,
    center: bool = True,
    pad_mode: str = "reflect",
    normalized: bool = False,
    onesided: bool | None = None,
    return_complex: bool | None = None,
) -> Tensor:
    """The spectra of pieces of `n_fft` samples, each `hop_length` (a quarter of `n_fft`) after the
    last, times the window of `win_length` samples: of signals (L,) or (B, L) as
    (…, frequencies, pieces).

    If `center`, piece t has sample `t * hop_length` in its middle: the signal is continued at both
    ends, mirrored ("reflect"), by its edge ("replicate"), by its other end ("circular") or by zeros
    ("constant"). `normalized` divides by the root of `n_fft`. Of real signals only the first
    `n_fft // 2 + 1` frequencies are given, unless `onesided` is False. `return_complex` must be
    given for real signals: False gives real and imaginary parts along another axis.
    """
    name = "stft"
    hop, length = _sizes(name, n_fft, hop_length, win_length, window)
    if input.ndim not in (1, 2):
        raise ShapeError(name, "input", expected="(L,) or (B, L)", got=input.shape)
    whole = input.is_complex() or (window is not None and window.is_complex())
    if return_complex is None:
        if not whole:
            raise ArgumentError(
                name,
                "return_complex",
                expected="True or False, for real signals",
                got=None,
                hint="pass return_complex=True",
            )
        return_complex = True
    if onesided is None:
        onesided = not whole
    if onesided and whole:
        raise ArgumentError(name, "onesided", expected="False, for complex numbers", got=True)
    x = input if input.ndim == 2 else input.unsqueeze(0)
    if center:
        x = _continued(x, n_fft // 2, pad_mode)
    if x.shape[-1] < n_fft:
        raise ShapeError(
            name, "input", expected=f"at least n_fft = {n_fft} samples", got=input.shape
        )
    pieces = views.unfold(x, 1, n_fft, hop)  # (B, pieces, n_fft)
    if window is not None:
        pieces = pieces * _centred(window, n_fft, length)
    elif length < n_fft:
        pieces = pieces * _centred(x.new_ones(length), n_fft, length)
    norm = "ortho" if normalized else "backward"
    if onesided:
        out = fourier.fft_r2c(pieces, 2, norm)
    else:
        out = fourier.fft_c2c(pieces.to(pieces.dtype.to_complex()), (2,), norm, False)
    out = transpose(out)
    out = out if input.ndim == 2 else out.squeeze(0)
    return out if return_complex else views.view_as_real(out)


def istft(
    input: Tensor,
    n_fft: int,
    hop_length: int | None = None,
    win_length: int | None = None,
    window: Tensor | None = None,
    center: bool = True,
    normalized: bool = False,
    onesided: bool | None = None,
    length: int | None = None,
    return_complex: bool = False,
) -> Tensor:
    """The signal, (L,) or (B, L), of which `stft` with the same arguments gives spectra nearest to
    these complex ones, (…, frequencies, pieces); cut or continued by zeros to `length` samples.

    Every sample must lie in some piece where the window is not 0.
    """
    name = "istft"
    hop, size = _sizes(name, n_fft, hop_length, win_length, window)
    if not input.is_complex():
        raise DtypeError(name, "input", expected="a complex dtype", got=input.dtype)
    if onesided is None:
        onesided = input.shape[-2] != n_fft
    frequencies = n_fft // 2 + 1 if onesided else n_fft
    if input.ndim not in (2, 3) or input.shape[-2] != frequencies:
        raise ShapeError(
            name, "input", expected=f"(*, {frequencies}, pieces), 2 or 3 axes", got=input.shape
        )
    if return_complex and onesided:
        raise ArgumentError(name, "onesided", expected="False, to return complex numbers", got=True)
    x = transpose(input if input.ndim == 3 else input.unsqueeze(0)).contiguous()
    norm = "ortho" if normalized else "backward"
    if return_complex:
        pieces = fourier.fft_c2c(x, (2,), norm, True)
    else:
        half = views.slice_dim(x, 2, 0, n_fft // 2 + 1, 1)
        pieces = fourier.fft_c2r(half, 2, norm, n_fft)
    weights = x.real.new_ones(size) if window is None else window
    weights = _centred(weights, n_fft, size)
    count = pieces.shape[1]
    total = n_fft + hop * (count - 1)
    where = (1, n_fft, hop)
    signal = views.place(pieces * weights, (pieces.shape[0], total), "unfold", where)
    squares = (weights * weights).expand(1, count, n_fft)
    overlap = views.place(squares, (1, total), "unfold", where)
    start = n_fft // 2 if center else 0
    stop = total - start if length is None else start + length
    stop = min(stop, total)
    signal, overlap = (views.slice_dim(each, 1, start, stop, 1) for each in (signal, overlap))
    if bool((overlap.abs() < _LEAST).any()):
        raise ArgumentError(
            name,
            "window",
            expected="one that is not 0 throughout where the pieces overlap",
            got=f"{size} samples, every {hop}",
        )
    signal = signal / overlap
    if length is not None and length > signal.shape[1]:
        signal = pad(signal, ((0, 0), (0, length - signal.shape[1])), 0)
    return signal if input.ndim == 3 else signal.squeeze(0)


def _sizes(
    name: str, n_fft: int, hop: int | None, length: int | None, window: Tensor | None
) -> tuple[int, int]:
    """The distance of pieces and the window's length."""
    hop = n_fft // 4 if hop is None else hop
    length = n_fft if length is None else length
    if n_fft < 1:
        raise ArgumentError(name, "n_fft", expected="1 or more", got=n_fft)
    if hop < 1:
        raise ArgumentError(name, "hop_length", expected="1 or more", got=hop)
    if not 1 <= length <= n_fft:
        raise ArgumentError(name, "win_length", expected=f"from 1 to {n_fft}", got=length)
    if window is not None and window.spec.shape != (length,):
        raise ShapeError(name, "window", expected=f"({length},)", got=window.spec.shape)
    return hop, length


def _centred(window: Tensor, size: int, length: int) -> Tensor:
    """The window in the middle of zeros."""
    left = (size - length) // 2
    return pad(window, ((left, size - length - left),), 0) if length < size else window


def _continued(x: Tensor, count: int, mode: str) -> Tensor:
    """Signals (B, L) with so many samples more at both ends."""
    size = x.spec.shape[1]
    if mode == "constant":
        return pad(x, ((0, 0), (count, count)), 0)
    if mode not in ("reflect", "replicate", "circular"):
        raise ArgumentError(
            "stft",
            "pad_mode",
            expected="'reflect', 'replicate', 'circular' or 'constant'",
            got=repr(mode),
        )
    if size <= (count if mode == "reflect" else count - 1 if mode == "circular" else 0):
        raise ShapeError(
            "stft", "input", expected=f"more than {count} samples, to continue it", got=x.shape
        )
    if not count:
        return x

    def part(start: int, stop: int) -> Tensor:
        return views.slice_dim(x, 1, start, stop, 1)

    if mode == "reflect":
        ends = (
            joining.flip(part(1, count + 1), 1),
            joining.flip(part(size - count - 1, size - 1), 1),
        )
    elif mode == "circular":
        ends = part(size - count, size), part(0, count)
    else:
        wide = (x.spec.shape[0], count)
        ends = (
            creation.clone(views.expand(part(0, 1), wide)),
            creation.clone(views.expand(part(size - 1, size), wide)),
        )
    return joining.cat([ends[0], x, ends[1]], 1)
