"""Products of matrices and vectors."""

from __future__ import annotations

from plugrad import shapes
from plugrad.errors import DtypeError, ShapeError
from plugrad.families import composite, primitive
from plugrad.ops.views import permute, reshape
from plugrad.spec import spec_of


def _matmul_spec(x, y):
    if x.dtype is not y.dtype:
        raise DtypeError("matmul", "other", expected=f"the dtype of input, {x.dtype}", got=y.dtype)
    if not x.shape or not y.shape:
        raise ShapeError(
            "matmul", "operands", expected="at least one axis each", got=(x.shape, y.shape)
        )
    left = x.shape if len(x.shape) > 1 else (1, *x.shape)
    right = y.shape if len(y.shape) > 1 else (*y.shape, 1)
    if left[-1] != right[-2]:
        raise ShapeError(
            "matmul",
            "other",
            expected=f"{left[-1]} rows, as {x.shape} has columns",
            got=f"{right[-2]} in shape {y.shape}",
        )
    batch = shapes.broadcast_shapes("matmul", left[:-2], right[:-2])
    rows = left[-2:-1] if len(x.shape) > 1 else ()
    columns = right[-1:] if len(y.shape) > 1 else ()
    return spec_of((*batch, *rows, *columns), x.dtype, x.device)


@primitive(_matmul_spec)
def matmul(x, y, /):
    """Product of matrices in the last two axes, the others broadcast; an operand with one axis is a
    vector.
    """


matmul.vjp(x=lambda g, x_spec, y: _left(g, x_spec, y), y=lambda g, x, y_spec: _right(g, x, y_spec))
matmul.linear("x", "y")


def _linear_spec(x, weight, bias):
    if len(weight.shape) not in (1, 2) or not x.shape or x.shape[-1] != weight.shape[-1]:
        raise ShapeError(
            "linear",
            "weight",
            expected=f"(out_features, {x.shape[-1] if x.shape else '?'}) for input {x.shape}",
            got=weight.shape,
        )
    if bias is not None and bias.shape not in (weight.shape[:-1], ()):
        raise ShapeError("linear", "bias", expected=str(weight.shape[:-1]), got=bias.shape)
    for name, spec in (("weight", weight), ("bias", bias)):
        if spec is not None and spec.dtype is not x.dtype:
            raise DtypeError(
                "linear", name, expected=f"the input's dtype, {x.dtype}", got=spec.dtype
            )
    return spec_of((*x.shape[:-1], *weight.shape[:-1]), x.dtype, x.device)


@composite(_linear_spec)
def linear(x, weight, bias, /):
    """`x @ weight.T + bias`; `weight` is (out_features, in_features), `bias` (out_features,) or
    None.
    """
    out = matmul(x, transpose(weight))
    return out if bias is None else out + bias


linear.vjp(
    x=lambda g, weight: matmul(g, weight) if weight.ndim == 2 else g.unsqueeze(-1) * weight,
    weight=lambda g, x, weight_spec: _weight_gradient(g, x, weight_spec),
    bias=lambda g: g,
)
linear.jvp(
    x=lambda t, weight: linear(t, weight, None),
    weight=lambda t, x: linear(x, t, None),
    bias=lambda t: t,
)


def _weight_gradient(g, x, weight):
    rows = reshape(x, (shapes.numel(x.shape[:-1]), x.shape[-1]))
    count = weight.shape[0] if len(weight.shape) == 2 else 1
    return reshape(matmul(transpose(reshape(g, (rows.shape[0], count))), rows), weight.shape)


def transpose(x):
    """The last two axes exchanged; a tensor with fewer as it is."""
    ndim = x.ndim
    return x if ndim < 2 else permute(x, (*range(ndim - 2), ndim - 1, ndim - 2))


def _matrices(g, x_shape, y_shape):
    # A vector operand is a matrix with one row or column, which the product has lost.
    if len(y_shape) == 1:
        g = reshape(g, (*g.shape, 1))
    if len(x_shape) == 1:
        g = reshape(g, (*g.shape[:-1], 1, g.shape[-1]))
    return g


def _left(g, x_spec, y):
    g = _matrices(g, x_spec.shape, y.shape)
    right = y if y.ndim > 1 else reshape(y, (*y.shape, 1))
    out = matmul(g, transpose(right))
    return out if len(x_spec.shape) > 1 else reshape(out, (*out.shape[:-2], out.shape[-1]))


def _right(g, x, y_spec):
    g = _matrices(g, x.shape, y_spec.shape)
    left = x if x.ndim > 1 else reshape(x, (1, *x.shape))
    out = matmul(transpose(left), g)
    return out if len(y_spec.shape) > 1 else reshape(out, out.shape[:-1])
