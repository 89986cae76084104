"""The norm of vectors or of matrices, as the axes say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plugrad.dtypes import DType
from plugrad.errors import ArgumentError
from plugrad.families import delivers
from plugrad.functions.norms import Dim, Order, matrix_norm, vector_norm

if TYPE_CHECKING:
    from plugrad.tensor import Tensor


@delivers
def norm(
    input: Tensor,
    ord: Order = None,
    dim: Dim = None,
    keepdim: bool = False,
    *,
    dtype: DType | None = None,
    out: Tensor | None = None,
) -> Tensor:
    """Without `ord` the 2-norm of all elements, or of those along `dim`. With it `vector_norm` over
    one axis, of one `dim` or of a vector, and `matrix_norm` over two.
    """
    if ord is None:
        return vector_norm(input, 2, dim, keepdim, dtype=dtype)
    axes = (
        tuple(range(input.ndim)) if dim is None else (dim,) if isinstance(dim, int) else tuple(dim)
    )
    if len(axes) == 1 and not isinstance(ord, str):
        return vector_norm(input, ord, axes, keepdim, dtype=dtype)
    if len(axes) == 2:
        return matrix_norm(input, ord, axes, keepdim, dtype=dtype)
    raise ArgumentError(
        "norm",
        "ord",
        expected="none, or one axis for a vector's norm or two for a matrix's",
        got=f"{ord!r} over {len(axes)} axes",
    )
