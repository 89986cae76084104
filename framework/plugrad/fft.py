"""Discrete Fourier transforms, as in NumPy and PyTorch; with derivatives.

`n` and `s` are the sizes along the axes: the input is cut or filled up with zeros to them. `norm`
says what is divided by the number N of elements: "backward" the inverse transforms, "forward" the
others, "ortho" both by √N. Integers become floats.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from plugrad import creation, shapes
from plugrad.creation import DeviceLike
from plugrad.dtypes import DType, get_default_dtype
from plugrad.errors import ArgumentError, DtypeError, RangeError, ShapeError
from plugrad.families import as_operand, delivers
from plugrad.functions.joining import roll
from plugrad.ops import fourier, joining, views
from plugrad.ops.matrices import check_precision

if TYPE_CHECKING:
    from plugrad.tensor import Tensor

    Out = Tensor | None

Sizes = Sequence[int] | None
Dims = int | Sequence[int] | None

_OPPOSITE = {"backward": "forward", "ortho": "ortho", "forward": "backward"}


# along one axis -----------------------------------------------------------------------------------


@delivers
def fft(
    input: Tensor, n: int | None = None, dim: int = -1, norm: str | None = None, *, out: Out = None
) -> Tensor:
    """Σ_j exp(-2πi j k / N) x_j along an axis, for k from 0 to N - 1."""
    return _complex("fft", input, _one(n), (dim,), norm, False)


@delivers
def ifft(
    input: Tensor, n: int | None = None, dim: int = -1, norm: str | None = None, *, out: Out = None
) -> Tensor:
    """The inverse of `fft`."""
    return _complex("ifft", input, _one(n), (dim,), norm, True)


@delivers
def rfft(
    input: Tensor, n: int | None = None, dim: int = -1, norm: str | None = None, *, out: Out = None
) -> Tensor:
    """`fft` of real numbers: the first N // 2 + 1 elements, of which the others are conjugates."""
    return _half("rfft", input, _one(n), (dim,), norm)


@delivers
def irfft(
    input: Tensor, n: int | None = None, dim: int = -1, norm: str | None = None, *, out: Out = None
) -> Tensor:
    """The inverse of `rfft`: `n` real numbers; 2 (m - 1) from m if not given."""
    return _whole("irfft", input, _one(n), (dim,), norm)


@delivers
def hfft(
    input: Tensor, n: int | None = None, dim: int = -1, norm: str | None = None, *, out: Out = None
) -> Tensor:
    """`fft` of numbers whose other half are conjugates: `n` real numbers; 2 (m - 1) from m if not
    given.
    """
    return _whole("hfft", input.conj(), _one(n), (dim,), _opposite("hfft", norm))


@delivers
def ihfft(
    input: Tensor, n: int | None = None, dim: int = -1, norm: str | None = None, *, out: Out = None
) -> Tensor:
    """The inverse of `hfft`."""
    return _half("ihfft", input, _one(n), (dim,), _opposite("ihfft", norm)).conj()


# along two ----------------------------------------------------------------------------------------


@delivers
def fft2(
    input: Tensor,
    s: Sizes = None,
    dim: Sequence[int] = (-2, -1),
    norm: str | None = None,
    *,
    out: Out = None,
) -> Tensor:
    """`fft` along two axes."""
    return _complex("fft2", input, s, dim, norm, False)


@delivers
def ifft2(
    input: Tensor,
    s: Sizes = None,
    dim: Sequence[int] = (-2, -1),
    norm: str | None = None,
    *,
    out: Out = None,
) -> Tensor:
    """The inverse of `fft2`."""
    return _complex("ifft2", input, s, dim, norm, True)


@delivers
def rfft2(
    input: Tensor,
    s: Sizes = None,
    dim: Sequence[int] = (-2, -1),
    norm: str | None = None,
    *,
    out: Out = None,
) -> Tensor:
    """`rfft` along the second of two axes and `fft` along the first."""
    return _half("rfft2", input, s, dim, norm)


@delivers
def irfft2(
    input: Tensor,
    s: Sizes = None,
    dim: Sequence[int] = (-2, -1),
    norm: str | None = None,
    *,
    out: Out = None,
) -> Tensor:
    """The inverse of `rfft2`."""
    return _whole("irfft2", input, s, dim, norm)


@delivers
def hfft2(
    input: Tensor,
    s: Sizes = None,
    dim: Sequence[int] = (-2, -1),
    norm: str | None = None,
    *,
    out: Out = None,
) -> Tensor:
    """`hfft` along the second of two axes and `fft` along the first."""
    return _whole("hfft2", input.conj(), s, dim, _opposite("hfft2", norm))


@delivers
def ihfft2(
    input: Tensor,
    s: Sizes = None,
    dim: Sequence[int] = (-2, -1),
    norm: str | None = None,
    *,
    out: Out = None,
) -> Tensor:
    """The inverse of `hfft2`."""
    return _half("ihfft2", input, s, dim, _opposite("ihfft2", norm)).conj()


# along several: all, or the last of them, if none is named ----------------------------------------


@delivers
def fftn(
    input: Tensor, s: Sizes = None, dim: Dims = None, norm: str | None = None, *, out: Out = None
) -> Tensor:
    """`fft` along several axes."""
    return _complex("fftn", input, s, dim, norm, False)


@delivers
def ifftn(
    input: Tensor, s: Sizes = None, dim: Dims = None, norm: str | None = None, *, out: Out = None
) -> Tensor:
    """The inverse of `fftn`."""
    return _complex("ifftn", input, s, dim, norm, True)


@delivers
def rfftn(
    input: Tensor, s: Sizes = None, dim: Dims = None, norm: str | None = None, *, out: Out = None
) -> Tensor:
    """`rfft` along the last of several axes and `fft` along the others."""
    return _half("rfftn", input, s, dim, norm)


@delivers
def irfftn(
    input: Tensor, s: Sizes = None, dim: Dims = None, norm: str | None = None, *, out: Out = None
) -> Tensor:
    """The inverse of `rfftn`."""
    return _whole("irfftn", input, s, dim, norm)


@delivers
def hfftn(
    input: Tensor, s: Sizes = None, dim: Dims = None, norm: str | None = None, *, out: Out = None
) -> Tensor:
    """`hfft` along the last of several axes and `fft` along the others."""
    return _whole("hfftn", input.conj(), s, dim, _opposite("hfftn", norm))


@delivers
def ihfftn(
    input: Tensor, s: Sizes = None, dim: Dims = None, norm: str | None = None, *, out: Out = None
) -> Tensor:
    """The inverse of `hfftn`."""
    return _half("ihfftn", input, s, dim, _opposite("ihfftn", norm)).conj()


# frequencies --------------------------------------------------------------------------------------


@delivers
def fftfreq(
    n: int,
    d: float = 1.0,
    *,
    dtype: DType | None = None,
    device: DeviceLike = None,
    requires_grad: bool = False,
    out: Out = None,
) -> Tensor:
    """The frequencies of what `fft` gives, in cycles per unit, for samples `d` units apart: 0, 1,
    …, (n - 1) // 2, -(n // 2), …, -1, each over n d.
    """
    half = (n - 1) // 2 + 1
    numbers = [*range(half), *range(-(n // 2), 0)]
    return _frequencies(numbers, n * d, dtype, device, requires_grad)


@delivers
def rfftfreq(
    n: int,
    d: float = 1.0,
    *,
    dtype: DType | None = None,
    device: DeviceLike = None,
    requires_grad: bool = False,
    out: Out = None,
) -> Tensor:
    """The frequencies of what `rfft` gives: 0, 1, …, n // 2, each over n d."""
    return _frequencies(range(n // 2 + 1), n * d, dtype, device, requires_grad)


def _frequencies(
    numbers: Sequence[int],
    unit: float,
    dtype: DType | None,
    device: DeviceLike,
    requires_grad: bool,
) -> Tensor:
    found = [number / unit for number in numbers]
    dtype = dtype or get_default_dtype()
    return creation.tensor(found, dtype=dtype, device=device).requires_grad_(requires_grad)


def fftshift(input: Tensor, dim: Dims = None) -> Tensor:
    """The elements along the axes, all if none is named, with frequency 0 moved to the middle."""
    return _shifted(input, dim, lambda size: size // 2)


def ifftshift(input: Tensor, dim: Dims = None) -> Tensor:
    """The inverse of `fftshift`."""
    return _shifted(input, dim, lambda size: (size + 1) // 2)


def _shifted(input: Tensor, dim: Dims, by: Any) -> Tensor:
    dims = shapes.normalize_dims(dim, input.ndim, "fftshift")
    return roll(input, [by(input.spec.shape[each]) for each in dims], dims)


# what they share ----------------------------------------------------------------------------------


def _complex(name: str, x: Tensor, s: Sizes, dim: Dims, norm: str | None, inverse: bool) -> Tensor:
    dims, sizes = _axes(name, x, s, dim)
    dtype = _inexact(name, x)
    x = _resized(as_operand(x, dtype.to_complex(), x.device), dims, sizes)
    if not dims:
        return x.clone()
    return fourier.fft_c2c(x, tuple(sorted(dims)), _checked(name, norm), inverse)


def _half(name: str, x: Tensor, s: Sizes, dim: Dims, norm: str | None) -> Tensor:
    if x.is_complex():
        raise DtypeError(name, "input", expected="a real dtype", got=x.dtype, hint="use fft()")
    norm = _checked(name, norm)
    dims, sizes = _axes(name, x, s, dim, some=True)
    x = _resized(as_operand(x, _inexact(name, x), x.device), dims, sizes)
    out = fourier.fft_r2c(x, dims[-1], norm)
    others = tuple(sorted(dims[:-1]))
    return fourier.fft_c2c(out, others, norm, False) if others else out


def _whole(name: str, x: Tensor, s: Sizes, dim: Dims, norm: str | None) -> Tensor:
    norm = _checked(name, norm)
    dims, sizes = _axes(name, x, s, dim, some=True, halved=True)
    size = sizes[-1]
    x = as_operand(x, _inexact(name, x).to_complex(), x.device)
    x = _resized(x, dims, (*sizes[:-1], size // 2 + 1))
    others = tuple(sorted(dims[:-1]))
    if others:
        x = fourier.fft_c2c(x, others, norm, True)
    return fourier.fft_c2r(x, dims[-1], norm, size)


def _one(n: int | None) -> Sizes:
    return None if n is None else (n,)


def _checked(name: str, norm: str | None) -> str:
    if norm is not None and norm not in _OPPOSITE:
        raise ArgumentError(
            name, "norm", expected="'backward', 'ortho' or 'forward'", got=repr(norm)
        )
    return norm or "backward"


def _opposite(name: str, norm: str | None) -> str:
    return _OPPOSITE[_checked(name, norm)]


def _inexact(name: str, x: Tensor) -> DType:
    if x.dtype.kind in ("bool", "int"):
        return get_default_dtype()
    check_precision(name, "input", x.spec)
    return x.dtype


def _axes(
    name: str, x: Tensor, s: Sizes, dim: Dims, *, some: bool = False, halved: bool = False
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The axes in the order given, and the sizes along them; the last is that of the real numbers
    if the input has only half of their transform.
    """
    if dim is None and s is not None:
        if len(s) > x.ndim:
            raise ShapeError(
                name, "s", expected=f"at most {x.ndim} sizes, as the input has axes", got=tuple(s)
            )
        dims = tuple(range(x.ndim - len(s), x.ndim))
    elif dim is None:
        dims = tuple(range(x.ndim))
    else:
        given = (dim,) if isinstance(dim, int) else tuple(dim)
        dims = tuple([shapes.normalize_dim(each, x.ndim, name) for each in given])
    if dims and not x.ndim:
        raise RangeError(name, "dim", expected="an axis of the input, which has none", got=dim)
    if len(set(dims)) < len(dims):
        raise ArgumentError(name, "dim", expected="each axis once", got=dim)
    if some and not dims:
        raise ShapeError(name, "dim", expected="at least one axis", got=x.spec.shape)
    sizes = [x.spec.shape[each] for each in dims]
    if halved:
        sizes[-1] = 2 * (sizes[-1] - 1)
    if s is not None:
        if len(s) != len(dims):
            raise ShapeError(name, "s", expected=f"{len(dims)} sizes, one per axis", got=tuple(s))
        sizes = [own if size == -1 else size for own, size in zip(sizes, s, strict=True)]
    if any([size < 1 for size in sizes]):
        raise ShapeError(name, "input", expected="at least one element along each axis", got=sizes)
    return dims, tuple(sizes)


def _resized(x: Tensor, dims: Sequence[int], sizes: Sequence[int]) -> Tensor:
    """Cut, or filled up with zeros."""
    padding = [(0, 0)] * x.ndim
    for dim, size in zip(dims, sizes, strict=True):
        own = x.spec.shape[dim]
        if own > size:
            x = views.slice_dim(x, dim, 0, size, 1)
        padding[dim] = (0, max(size - own, 0))
    return joining.pad(x, tuple(padding), 0) if any([last for _, last in padding]) else x
