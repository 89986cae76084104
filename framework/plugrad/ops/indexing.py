"""Elements chosen by tensors of positions, read and written.

Positions are int64. `index`, `index_put` and `index_fill` count negative ones from the end, the
others refuse them. What reads and what adds at the same positions are each other's adjoint.
"""

from __future__ import annotations

from plugrad import dtypes, shapes
from plugrad.constants import constant
from plugrad.errors import DtypeError, RangeError, ShapeError
from plugrad.families import composite, in_place, primitive
from plugrad.ops.comparison import where
from plugrad.ops.creation import full
from plugrad.ops.views import expand, reshape, select, view
from plugrad.spec import spec_of

# one index per axis -------------------------------------------------------------------------------


def _indexed_shape(operator, shape, indices):
    """The shape of `x[indices]`: the indices' common shape takes the place of their axes, or stands
    in front of all where another axis parts them.
    """
    if len(indices) > len(shape):
        raise RangeError(
            operator, "indices", expected=f"at most {len(shape)}, for {shape}", got=len(indices)
        )
    axes = [axis for axis, each in enumerate(indices) if each is not None]
    if not axes:
        return shape
    for axis in axes:
        _check_positions(operator, f"indices[{axis}]", indices[axis])
    common = shapes.broadcast_shapes(operator, *[indices[axis].shape for axis in axes])
    first, last = axes[0], axes[-1]
    if last - first + 1 == len(axes):
        return (*shape[:first], *common, *shape[last + 1 :])
    return (*common, *[size for axis, size in enumerate(shape) if axis not in axes])


def _index_spec(x, indices):
    return spec_of(_indexed_shape("index", x.shape, indices), x.dtype, x.device)


@primitive(_index_spec)
def index(x, indices, /):
    """The elements at the positions that `indices`, a tensor or `None` per axis, give together.

    The tensors broadcast. `None` takes the whole axis, as the end of the tuple does all others.
    """


index.vjp(x=lambda g, x_spec, indices: index_backward(g, indices, x_spec.shape))
index.linear("x")


@composite(lambda g, shape: spec_of(shape, g.dtype, g.device))
def index_backward(g, indices, /, shape):
    """Zeros of `shape`, with `g` added at the positions of `indices`."""
    return index_put(full(shape, 0, g.dtype, g.device), indices, g, True)


index_backward.vjp(g=lambda g, indices: index(g, indices))
index_backward.linear("g")


def _index_put_spec(x, indices, values):
    target = _indexed_shape("index_put", x.shape, indices)
    _check_same_dtype("index_put", "values", x, values)
    if shapes.broadcast_shapes("index_put", target, values.shape) != target:
        raise ShapeError(
            "index_put", "values", expected=f"a shape that broadcasts to {target}", got=values.shape
        )
    return x


@primitive(_index_put_spec)
def index_put(x, indices, values, /, accumulate):
    """A copy of `x` with `values`, broadcast, written or added at the positions of `indices`.

    Of several values written to one place any may win.
    """


index_put.vjp(
    x=lambda g, indices, accumulate: g if accumulate else index_put(g, indices, _zero(g), False),
    values=lambda g, indices: index(g, indices),
)
index_put.linear("x values")


# one position per element, along one axis ---------------------------------------------------------


def _check_gather(operator, x, index, dim):
    _check_positions(operator, "index", index)
    fits = len(index.shape) == len(x.shape) and all(
        size <= room or axis == dim
        for axis, (size, room) in enumerate(zip(index.shape, x.shape, strict=True))
    )
    if not fits:
        raise ShapeError(
            operator,
            "index",
            expected=f"a shape inside {x.shape} on every axis but {dim}",
            got=index.shape,
        )


def _gather_spec(x, index, dim):
    _check_gather("gather", x, index, dim)
    return spec_of(index.shape, x.dtype, x.device)


@primitive(_gather_spec)
def gather(x, index, /, dim):
    """Along axis `dim` the elements at the positions in `index`, which has the result's shape."""


gather.vjp(x=lambda g, x_spec, index, dim: scatter_add(_zeros(x_spec, g), index, g, dim))
gather.linear("x")


def scatter_spec(operator):
    """The rule of what writes or collects elements at positions along an axis."""

    def rule(x, index, source, dim):
        _check_gather(operator, x, index, dim)
        _check_same_dtype(operator, "source", x, source)
        if source.shape != index.shape:
            raise ShapeError(
                operator, "source", expected=f"shape {index.shape}, as index has", got=source.shape
            )
        return x

    return rule


@primitive(scatter_spec("scatter"))
def scatter(x, index, source, /, dim):
    """A copy of `x` with `source` written, along axis `dim`, at the positions in `index`.

    Of several elements written to one place any may win.
    """


scatter.vjp(
    x=lambda g, index, dim: scatter(g, index, _zeros(index.spec, g), dim),
    source=lambda g, index, dim: gather(g, index, dim),
)
scatter.linear("x source")


@primitive(scatter_spec("scatter_add"))
def scatter_add(x, index, source, /, dim):
    """A copy of `x` with `source` added, along axis `dim`, at the positions in `index`."""


scatter_add.vjp(x=lambda g: g, source=lambda g, index, dim: gather(g, index, dim))
scatter_add.linear("x source")


@primitive(scatter_spec("scatter_mul"))
def scatter_mul(x, index, source, /, dim):
    """A copy of `x` multiplied, along axis `dim`, by `source` at the positions in `index`."""


scatter_mul.vjp(
    x=lambda g, x_spec, index, source, dim: g * scatter_mul(_ones(x_spec, g), index, source, dim),
    source=lambda g, x, index, source, dim: (
        gather(g * x, index, dim) * _other_factors(x.spec, index, source, dim)
    ),
)


def _other_factors(spec, index, source, dim):
    # The product of the others is p / source, where no zero is among them.
    zero = source == 0
    safe = where(zero, 1, source)
    product = scatter_mul(_ones(spec, source), index, safe, dim)
    zeros = scatter_add(_zeros(spec, source), index, zero.to(source.dtype), dim)
    others, count = gather(product, index, dim) / safe, gather(zeros, index, dim)
    return where((count == 0) | ((count == 1) & zero), others, 0)


# whole slices of one axis -------------------------------------------------------------------------


def _check_slices(operator, index):
    _check_positions(operator, "index", index)
    if len(index.shape) != 1:
        raise ShapeError(operator, "index", expected="one axis", got=index.shape)


def _index_select_spec(x, index, dim):
    _check_slices("index_select", index)
    return spec_of(_with_size(x.shape, dim, index.numel), x.dtype, x.device)


@composite(_index_select_spec)
def index_select(x, index, /, dim):
    """The slices of axis `dim` at the positions in `index`, which has one axis."""
    return gather(x, _along(index, x.shape, dim), dim)


index_select.vjp(x=lambda g, x_spec, index, dim: index_add(_zeros(x_spec, g), index, g, dim))
index_select.linear("x")


def _index_write_spec(operator):
    def rule(x, index, source, dim):
        _check_slices(operator, index)
        _check_same_dtype(operator, "source", x, source)
        target = _with_size(x.shape, dim, index.numel)
        if source.shape != target:
            raise ShapeError(operator, "source", expected=f"shape {target}", got=source.shape)
        return x

    return rule


@composite(_index_write_spec("index_add"))
def index_add(x, index, source, /, dim):
    """A copy of `x` with the slices of `source` added to those of axis `dim` that `index` names."""
    return scatter_add(x, _along(index, x.shape, dim), source, dim)


index_add.vjp(x=lambda g: g, source=lambda g, index, dim: index_select(g, index, dim))
index_add.linear("x source")


@composite(_index_write_spec("index_copy"))
def index_copy(x, index, source, /, dim):
    """A copy of `x` with the slices of axis `dim` that `index` names replaced by `source`'s."""
    return scatter(x, _along(index, x.shape, dim), source, dim)


index_copy.vjp(
    x=lambda g, index, dim: index_fill(g, index, _zero(g), dim),
    source=lambda g, index, dim: index_select(g, index, dim),
)
index_copy.linear("x source")


def _index_fill_spec(x, index, value):
    _check_slices("index_fill", index)
    _check_number("index_fill", x, value)
    return x


@composite(_index_fill_spec)
def index_fill(x, index, value, /, dim):
    """A copy of `x` with the slices of axis `dim` that `index` names filled with one number."""
    return index_put(x, (*(None,) * dim, index), value, False)


index_fill.vjp(
    x=lambda g, index, dim: index_fill(g, index, _zero(g), dim),
    # A slice named twice is filled once.
    value=lambda g, index, dim: g - index_fill(g, index, _zero(g), dim),
)
index_fill.linear("x value")


def _embedding_spec(weight, index):
    _check_positions("embedding", "index", index)
    return spec_of((*index.shape, *weight.shape[1:]), weight.dtype, weight.device)


@composite(_embedding_spec)
def embedding(weight, index, /, padding_idx):
    """The rows of `weight` at the positions in `index`, of any shape.

    The row `padding_idx`, unless that is `None`, gets no gradient.
    """
    rows = index_select(weight, reshape(index, (index.spec.numel,)), 0)
    return reshape(rows, (*index.shape, *weight.shape[1:]))


embedding.vjp(
    weight=lambda g, weight_spec, index, padding_idx: embedding_backward(
        g, index, weight_spec.shape[0], padding_idx
    )
)
embedding.linear("weight")


@composite(
    lambda g, index, count: spec_of((count, *g.shape[len(index.shape) :]), g.dtype, g.device)
)
def embedding_backward(g, index, /, count, padding_idx):
    """`count` rows of zeros, each row of `g` added to the one that `index` names.

    The row `padding_idx`, unless that is `None`, stays zero.
    """
    g = _without_padding(g, index, padding_idx)
    row = g.shape[len(index.shape) :]
    zeros = full((count, *row), 0, g.dtype, g.device)
    positions = index.spec.numel
    return index_add(zeros, reshape(index, (positions,)), reshape(g, (positions, *row)), 0)


embedding_backward.vjp(
    g=lambda g, index, padding_idx: _without_padding(
        embedding(g, index, padding_idx), index, padding_idx
    )
)
embedding_backward.linear("g")


def _without_padding(rows, index, padding_idx):
    if padding_idx is None:
        return rows
    padding = index == padding_idx
    extra = len(rows.shape) - len(index.shape)
    return where(reshape(padding, (*index.shape, *(1,) * extra)), 0, rows)


# masks --------------------------------------------------------------------------------------------


@primitive(lambda x: None)
def nonzero(x, /):
    """The positions of the nonzero elements in C order: a row each, with a column per axis."""


def columns(mask):
    """The positions of a mask's true elements as one tensor per axis."""
    rows = nonzero(mask)
    return tuple([select(rows, 1, axis) for axis in range(len(mask.shape))])


def _masked_select_spec(x, mask):
    _check_mask("masked_select", mask)
    if x.shape[: len(mask.shape)] != mask.shape:
        raise ShapeError(
            "masked_select", "mask", expected=f"the first axes of {x.shape}", got=mask.shape
        )


@composite(_masked_select_spec)
def masked_select(x, mask, /):
    """The elements, or slices, of `x` where `mask`, over its first axes, holds; along one axis."""
    return index(x, columns(mask))


masked_select.vjp(x=lambda g, x_spec, mask: index_backward(g, columns(mask), x_spec.shape))
masked_select.linear("x")


def _masked_fill_spec(x, mask, value):
    _check_mask("masked_fill", mask)
    _check_number("masked_fill", x, value)
    shape = shapes.broadcast_shapes("masked_fill", x.shape, mask.shape)
    return spec_of(shape, x.dtype, x.device)


@composite(_masked_fill_spec)
def masked_fill(x, mask, value, /):
    """`x` with one number written where `mask`, broadcast, holds."""
    return where(mask, value, x)


masked_fill.vjp(
    x=lambda g, mask: masked_fill(g, mask, _zero(g)), value=lambda g, mask: where(mask, g, 0)
)
masked_fill.linear("x value")


# in place -----------------------------------------------------------------------------------------


index_put_ = in_place(index_put)
scatter_ = in_place(scatter)
scatter_add_ = in_place(scatter_add)
scatter_mul_ = in_place(scatter_mul)
index_add_ = in_place(index_add)
index_copy_ = in_place(index_copy)
index_fill_ = in_place(index_fill)
masked_fill_ = in_place(masked_fill)


# what rules share ---------------------------------------------------------------------------------


def _check_positions(operator, argument, spec):
    if spec.dtype is not dtypes.int64:
        raise DtypeError(operator, argument, expected="int64 positions", got=spec.dtype)


def _check_mask(operator, mask):
    if mask.dtype is not dtypes.bool_:
        raise DtypeError(operator, "mask", expected="a bool tensor", got=mask.dtype)


def _check_same_dtype(operator, argument, x, source):
    if source.dtype is not x.dtype:
        raise DtypeError(
            operator,
            argument,
            expected=f"{x.dtype}, as the tensor that it goes into",
            got=source.dtype,
            hint=f"cast it with .to({x.dtype!r})",
        )


def _check_number(operator, x, value):
    _check_same_dtype(operator, "value", x, value)
    if value.shape:
        raise ShapeError(operator, "value", expected="a number or a 0-d tensor", got=value.shape)


def _with_size(shape, dim, size):
    return (*shape[:dim], size, *shape[dim + 1 :])


def _along(index, shape, dim):
    """Positions of slices as positions of all their elements."""
    count = index.spec.numel
    row = tuple([count if axis == dim else 1 for axis in range(len(shape))])
    return expand(view(index, row), _with_size(shape, dim, count))


def _zero(g):
    return constant(0, g.dtype, g.device)


def _zeros(spec, g):
    return full(spec.shape, 0, g.dtype, g.device)


def _ones(spec, g):
    return full(spec.shape, 1, g.dtype, g.device)
