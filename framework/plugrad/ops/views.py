"""Views: another shape and other strides over the same storage. `plugrad.geometry` does the
arithmetic, no kernel runs.

The adjoint of every view is `place`: zeros, with the cotangent written where the view looked.
"""

from __future__ import annotations

from plugrad import geometry, shapes
from plugrad.dispatch import dispatch, operators
from plugrad.dtypes import float32, float64, int64
from plugrad.errors import DtypeError
from plugrad.families import composite
from plugrad.families import view as view_operator
from plugrad.ops.creation import arange, clone, copy_, full
from plugrad.spec import spec_of


@view_operator(geometry.view)
def view(x, /, shape):
    """The same elements in the same order under another shape."""


view.vjp(x=lambda g, x_spec: reshape(g, x_spec.shape))


@view_operator(geometry.permute)
def permute(x, /, dims):
    """The axes in another order: axis i of the result is axis `dims[i]`."""


permute.vjp(x=lambda g, dims: permute(g, inverse_permutation(dims)))


@view_operator(geometry.expand)
def expand(x, /, sizes):
    """Axes of size 1 repeated, and new ones put in front, without a copy."""


# The engine sums a cotangent to its operand's shape.
expand.vjp(x=lambda g: g)


@view_operator(geometry.slice_dim)
def slice_dim(x, /, dim, start, stop, step):
    """Every `step`-th element of one axis from `start` up to `stop`."""


slice_dim.vjp(
    x=lambda g, x_spec, dim, start, stop, step: place(
        g, x_spec.shape, "slice_dim", (dim, start, stop, step)
    )
)


@view_operator(geometry.select)
def select(x, /, dim, index):
    """One position of an axis, which goes away."""


select.vjp(x=lambda g, x_spec, dim, index: place(g, x_spec.shape, "select", (dim, index)))


@view_operator(geometry.diagonal)
def diagonal(x, /, offset, dim1, dim2):
    """The diagonal of two axes, as a new last axis."""


diagonal.vjp(
    x=lambda g, x_spec, offset, dim1, dim2: place(g, x_spec.shape, "diagonal", (offset, dim1, dim2))
)


@view_operator(geometry.unfold)
def unfold(x, /, dim, size, step):
    """Windows of an axis, as a new last axis of `size`; the axis itself counts the windows."""


unfold.vjp(x=lambda g, x_spec, dim, size, step: place(g, x_spec.shape, "unfold", (dim, size, step)))


@view_operator(geometry.windows)
def windows(x, /, kernel, stride, dilation):
    """From (N, C, *spatial) to (N, C, *counts, *kernel): all windows of a convolution."""


windows.vjp(
    x=lambda g, x_spec, kernel, stride, dilation: place(
        g, x_spec.shape, "windows", (kernel, stride, dilation)
    )
)


@view_operator(geometry.as_strided)
def as_strided(x, /, shape, strides, offset):
    """Any shape and strides over the storage. Differentiable where `x` fills that in order."""


as_strided.vjp(
    x=lambda g, x_spec, shape, strides, offset: place(
        g, x_spec.shape, "as_strided", (shape, strides, offset)
    )
)


def _real_geometry(shape, strides, offset):
    return (*shape, 2), (*[stride * 2 for stride in strides], 1), offset * 2


def _complex_geometry(shape, strides, offset):
    even = all(stride % 2 == 0 for stride in (*strides[:-1], offset))
    if not shape or shape[-1] != 2 or strides[-1] != 1 or not even:
        raise DtypeError(
            "view_as_complex",
            "input",
            expected="a last axis of size 2 and stride 1 that holds real and imaginary part",
            got=f"shape {shape} with strides {strides}",
            hint="stack the parts along a new last axis and make it contiguous()",
        )
    return shape[:-1], tuple([stride // 2 for stride in strides[:-1]]), offset // 2


def _real_dtype(dtype):
    if not dtype.is_complex:
        raise DtypeError("view_as_real", "input", expected="a complex dtype", got=dtype)
    return dtype.to_real()


@view_operator(_real_geometry, dtype=_real_dtype)
def view_as_real(x, /):
    """A complex tensor as a real one with a last axis of real and imaginary part."""


view_as_real.vjp(x=lambda g: view_as_complex(clone(g)))


def _complex_dtype(dtype):
    if dtype not in (float32, float64):
        raise DtypeError("view_as_complex", "input", expected="float32 or float64", got=dtype)
    return dtype.to_complex()


@view_operator(_complex_geometry, dtype=_complex_dtype)
def view_as_complex(x, /):
    """A real tensor, whose last axis holds real and imaginary part, as a complex one."""


view_as_complex.operator.holomorphic = False
view_as_complex.vjp(x=lambda g: view_as_real(clone(g)))


@composite(lambda g, shape: spec_of(shape, g.dtype, g.device))
def place(g, /, shape, view, params):
    """Zeros of `shape`, with `g` added where the named view with these parameters looks."""
    geometry_of = operators[view].geometry
    assert geometry_of is not None
    looked, strides, _ = geometry_of(shape, shapes.contiguous_strides(shape), 0, *params)
    out = full(shape, 0, g.dtype, g.device)
    if not shapes.overlaps(looked, strides):
        copy_(dispatch(operators[view], (out,), params), g)
        return out
    count = shapes.numel(shape)
    positions = dispatch(
        operators[view], (reshape(arange(0, 1, count, int64, g.device), shape),), params
    )
    flat = operators["scatter_add"]
    return reshape(
        dispatch(flat, (reshape(out, (count,)), _flat(positions), _flat(g)), (0,)), shape
    )


place.vjp(g=lambda g, view, params: dispatch(operators[view], (_in_order(g),), params))
place.linear("g")


@composite(lambda x: x)
def overwrite(x, source, /, steps):
    """A copy of `x` with `source` written, broadcast, through the views that `steps` name."""
    out = clone(x)
    copy_(_follow(out, steps), source)
    return out


overwrite.vjp(
    x=lambda g, source_spec, steps: overwrite(g, full((), 0, g.dtype, g.device), steps),
    source=lambda g, steps: _follow(g, steps),
)
overwrite.linear("x source")


def _follow(x, steps):
    for operator, params in steps:
        x = dispatch(operator, (x,), params)
    return x


def reshape(x, shape):
    """A view where the strides allow it, else a copy."""
    if (x.spec, x.place, shape) in view.operator.plans:
        return view(x, shape)
    spec = x.spec
    target = shapes.infer_shape(shape, spec.numel, "reshape")
    if target == spec.shape:
        return x
    if geometry.view_strides(spec.shape, x.layout[0], target) is None:
        return view(clone(x), target)
    return view(x, shape)


def inverse_permutation(dims):
    """The order that undoes `permute(dims)`."""
    count = len(dims)
    inverse = [0] * count
    for position, dim in enumerate(dims):
        inverse[dim % count] = position
    return tuple(inverse)


def _in_order(x):
    """The elements in C order from the start of a storage: what `as_strided` counts upon."""
    return x if x.layout == (shapes.contiguous_strides(x.spec.shape), 0) else clone(x)


def _flat(x):
    return reshape(x, (x.spec.numel,))
