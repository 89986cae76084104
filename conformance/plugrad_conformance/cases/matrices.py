"""What the cases of matrix operators share: matrices of a kind, and factors seen so that what is
arbitrary about them, signs, phases and order, is gone.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from plugrad import dtypes
from plugrad.ops.linalg import matmul
from plugrad_conformance.case import COMPLEX, Array, Tolerance

PRECISE = (dtypes.float32, dtypes.float64, *COMPLEX)
# The condition of the matrices below, and of the gaps between their values, magnifies rounding.
FACTORED = Tolerance("factored", own=4, steps=64)


def regular(*shape: int) -> Array:
    """Matrices well away from singular ones, with singular values well apart."""
    return Array(shape, _regular)


def definite(*shape: int) -> Array:
    """Hermitian positive definite matrices, with eigenvalues well apart."""
    return Array(shape, _definite)


def half_definite(*shape: int) -> Array:
    """The same with other numbers above the diagonal, where nobody should look."""
    return Array(
        shape,
        lambda draw, shape, dtype: (
            np.tril(_definite(draw, shape, dtype)) + np.triu(_draw(draw, shape, dtype), 1)
        ),
    )


def bound(*shape: int) -> Array:
    """Small real numbers below which singular values would count as 0."""
    return Array(shape, lambda draw, shape, dtype: np.full(shape, 1e-3), dtypes.float64)


def hermitian(x: Any) -> Any:
    """The Hermitian part: what operators on Hermitian matrices depend on in all elements."""
    return (x + adjoint(x)) * 0.5


def adjoint(x: Any) -> Any:
    """The conjugate transpose."""
    turned = x.transpose(-2, -1)
    return turned.conj() if x.dtype.is_complex else turned


def projections(vectors: Any) -> Any:
    """v vᴴ of each column v, which has lost its phase; as axes (…, element, element, column)."""
    return vectors.unsqueeze(-2) * vectors.conj().unsqueeze(-3)


def products(left: Any, right: Any) -> Any:
    """Each column times the row of the same number, by which a common phase is no more; as axes
    (…, row, column, number).
    """
    count = min(left.shape[-1], right.shape[-2])
    columns = right.transpose(-2, -1).unsqueeze(-3).narrow(-1, 0, count)
    return left.unsqueeze(-2).narrow(-1, 0, count) * columns


def squares(x: Any) -> Any:
    """x xᴴ."""
    return matmul(x, adjoint(x))


def _draw(draw: Any, shape: tuple[int, ...], dtype: Any) -> Any:
    x = draw.normal(size=shape)
    return x + 1j * draw.normal(size=shape) if dtype.is_complex else x


def _regular(draw: Any, shape: tuple[int, ...], dtype: Any) -> Any:
    left, _, right = np.linalg.svd(_draw(draw, shape, dtype), full_matrices=False)
    sizes = 1 + 0.7 * np.arange(left.shape[-1])[::-1]
    return (left * sizes) @ right


def _definite(draw: Any, shape: tuple[int, ...], dtype: Any) -> Any:
    vectors, _ = np.linalg.qr(_draw(draw, shape, dtype))
    x = (vectors * (1 + 0.7 * np.arange(shape[-1]))) @ vectors.conj().swapaxes(-1, -2)
    # Hermitian to the last bit.
    return (x + x.conj().swapaxes(-1, -2)) / 2
