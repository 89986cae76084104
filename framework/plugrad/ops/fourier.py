"""Discrete Fourier transforms: Y_k = Σ_n exp(-2πi k n / N) X_n, and with `inverse` the same with
the other sign.

`norm` says which of the two directions is divided by N: "backward" the inverse, "forward" the
other, "ortho" both by √N. All are linear, and none is its own adjoint but for these factors: a sum
that was not divided is not divided backwards, either.
"""

from __future__ import annotations

from plugrad import dtypes
from plugrad.errors import DtypeError, ShapeError
from plugrad.families import primitive
from plugrad.ops.comparison import where
from plugrad.ops.creation import arange
from plugrad.ops.matrices import check_precision
from plugrad.ops.views import view
from plugrad.spec import spec_of

# A direction that divides is undone by one that does not.
_ADJOINT = {"backward": "forward", "ortho": "ortho", "forward": "backward"}


def _check(operator, x, dims, kind):
    check_precision(operator, "input", x)
    if x.dtype.kind != kind:
        raise DtypeError(operator, "input", expected=f"a {kind} dtype", got=x.dtype)
    for dim in dims:
        if not x.shape[dim]:
            raise ShapeError(
                operator, "input", expected=f"at least one element along axis {dim}", got=x.shape
            )


def _c2c_spec(x, dim):
    _check("fft_c2c", x, dim, "complex")
    return x


@primitive(_c2c_spec, family="scan")
def fft_c2c(x, /, dim, norm, inverse):
    """Complex numbers to as many, along several axes."""


# The matrix of the transform is symmetric: only the engine's conjugation is needed.
fft_c2c.vjp(x=lambda g, dim, norm, inverse: fft_c2c(g, dim, norm, inverse))
fft_c2c.linear("x")


def _r2c_spec(x, dim):
    _check("fft_r2c", x, (dim,), "float")
    shape = (*x.shape[:dim], x.shape[dim] // 2 + 1, *x.shape[dim + 1 :])
    return spec_of(shape, x.dtype.to_complex(), x.device)


@primitive(_r2c_spec, family="scan", holomorphic=False)
def fft_r2c(x, /, dim, norm):
    """Real numbers along an axis of N to the first N // 2 + 1 of their transform, which tell the
    others: those are their conjugates.
    """


fft_r2c.vjp(x=lambda g, x_spec, dim, norm: _from_half(g, x_spec.shape[dim], dim, norm))
fft_r2c.linear("x")


def _from_half(g, size, dim, norm):
    # fft_c2r counts each inner element twice, for itself and for its conjugate.
    return fft_c2r(_inner_times(g, 0.5, size, dim), dim, _ADJOINT[norm], size)


def _c2r_spec(x, dim, size):
    _check("fft_c2r", x, (dim,), "complex")
    if size < 1 or x.shape[dim] != size // 2 + 1:
        raise ShapeError(
            "fft_c2r", "input", expected=f"{size // 2 + 1} elements along axis {dim}", got=x.shape
        )
    shape = (*x.shape[:dim], size, *x.shape[dim + 1 :])
    return spec_of(shape, x.dtype.to_real(), x.device)


@primitive(_c2r_spec, family="scan", holomorphic=False)
def fft_c2r(x, /, dim, norm, size):
    """The inverse of `fft_r2c`: `size // 2 + 1` complex numbers along an axis to `size` real ones.
    Of the first, and of the last if `size` is even, the imaginary part counts as 0.
    """


fft_c2r.vjp(
    x=lambda g, dim, norm, size: _inner_times(fft_r2c(g, dim, _ADJOINT[norm]), 2, size, dim)
)
fft_c2r.linear("x")


def _inner_times(x, factor, size, dim):
    """Times a factor but for the elements that are their own conjugates."""
    shape = x.spec.shape
    place = arange(0, 1, shape[dim], dtypes.int64, x.spec.device)
    inner = (place > 0) & (place * 2 != size)
    return x * view(where(inner, float(factor), 1.0), (shape[dim], *(1,) * (len(shape) - dim - 1)))
