"""What formulas say about matrices, which stand in the last two axes: adjoints, diagonals,
triangles, and what the operators on them accept. No operators.
"""

from __future__ import annotations

from plugrad import dtypes
from plugrad.errors import DtypeError, ShapeError
from plugrad.ops.comparison import where
from plugrad.ops.creation import arange, full
from plugrad.ops.linalg import transpose
from plugrad.ops.views import diagonal, expand, place, reshape, view

_KINDS = (dtypes.float32, dtypes.float64, dtypes.complex64, dtypes.complex128)


def check_matrices(operator, argument, spec, *, square=False, whole=False):
    """Refuse what is not a batch of (square) matrices of single or double precision, or, if
    `whole`, of any dtype.
    """
    if len(spec.shape) < 2 or (square and spec.shape[-1] != spec.shape[-2]):
        wanted = "(*, n, n), square matrices" if square else "(*, m, n), at least two axes"
        raise ShapeError(operator, argument, expected=wanted, got=spec.shape)
    if not whole:
        check_precision(operator, argument, spec)


def check_precision(operator, argument, spec):
    """Refuse integers and halves: their factors are not numbers of their kind."""
    if spec.dtype not in _KINDS:
        raise DtypeError(
            operator,
            argument,
            expected="float32, float64, complex64 or complex128",
            got=spec.dtype,
            hint="cast it with .float()",
        )


def adjoint(x):
    """The conjugate transpose."""
    return transpose(x).conj() if x.spec.dtype.is_complex else transpose(x)


def diagonal_of(x):
    """The main diagonals."""
    return diagonal(x, 0, -2, -1)


def diagonal_matrix(x):
    """Square matrices with these diagonals, 0 elsewhere."""
    size = x.spec.shape[-1]
    return place(x, (*x.spec.shape, size), "diagonal", (0, -2, -1))


def lower(x, offset=0):
    """What lies on or below a diagonal; the rest 0."""
    return where(_distance(x) <= offset, x, 0)


def upper(x, offset=0):
    """What lies on or above a diagonal; the rest 0."""
    return where(_distance(x) >= offset, x, 0)


def identity(x, size):
    """Unit matrices of the dtype, the device and the batch of `x`."""
    ones = full((size,), 1, x.spec.dtype, x.spec.device)
    return expand(diagonal_matrix(ones), (*x.spec.shape[:-2], size, size))


def with_diagonal(x, value):
    """The matrices with this number, or these diagonals, in place of their own."""
    if not isinstance(value, int):
        value = reshape(value, (*value.spec.shape[:-1], 1, value.spec.shape[-1]))
    return where(_distance(x) == 0, value, x)


def column(x):
    """Vectors in the last axis as matrices with one column."""
    return view(x, (*x.spec.shape, 1)) if x.place is None else x.unsqueeze(-1)


def row(x):
    """Vectors in the last axis as matrices with one row."""
    return x.unsqueeze(-2)


def _distance(x):
    rows, columns = x.spec.shape[-2:]
    down = view(arange(0, 1, rows, dtypes.int64, x.spec.device), (rows, 1))
    return arange(0, 1, columns, dtypes.int64, x.spec.device) - down
