"""Making tensors, copying them, changing their dtype, writing into them."""

from __future__ import annotations

from plugrad import shapes
from plugrad.dispatch import Plan, operators, record
from plugrad.errors import ShapeError
from plugrad.families import as_operand, composite, primitive
from plugrad.spec import spec_of


@primitive(lambda shape, dtype, device: spec_of(shape, dtype, device))
def full(shape, value, dtype, device):
    """A tensor with every element equal to the number `value`."""


@primitive(lambda shape, dtype, device: spec_of(shape, dtype, device))
def empty(shape, dtype, device):
    """A tensor whose elements are whatever was in memory."""


@primitive(lambda count, dtype, device: spec_of((count,), dtype, device))
def arange(start, step, count, dtype, device):
    """`start + i * step` for i from 0 to count - 1."""


@primitive(lambda x, dtype: spec_of(x.shape, dtype, x.device), family="unary", holomorphic=False)
def cast(x, /, dtype):
    """The same numbers in another dtype: floats lose their fraction, complex numbers their
    imaginary part; as a bool whatever is not 0 is True. Never an alias.
    """


# The engine brings the cotangent back to the operand's dtype.
cast.vjp(x=lambda g: g)
cast.linear("x")


@primitive(lambda x: x, family="unary", holomorphic=False)
def clone(x, /):
    """A copy with memory of its own, in C order."""


clone.vjp(x=lambda g: g)
clone.linear("x")


def _prepare_copy(arguments, params):
    x, source = arguments
    spec = x.spec
    source = as_operand(source, None, spec.device)
    if source.spec.device is not spec.device:
        source = source.to(spec.device)
    shape = shapes.broadcast_shapes("copy_", spec.shape, source.spec.shape)
    if shape != spec.shape:
        raise ShapeError(
            "copy_",
            "source",
            expected=f"a shape that broadcasts to {spec.shape}",
            got=source.spec.shape,
        )
    return (x, as_operand(source, spec.dtype, spec.device)), params


def _rebase(x, source):
    """After a write that the graph must know: give the written tensor, or its base, a new node."""
    origin = x.origin
    if origin is None:
        operator = copy_.operator
        plan = Plan(operator, None, x.spec, (x.spec, source.spec))
        record(operator, (x, source), (), x, plan)
        return
    base = origin.base
    operator = operators["overwrite"]
    plan = Plan(operator, None, base.spec, (base.spec, source.spec))
    record(operator, (base, source), (origin.steps,), base, plan)


@primitive(
    lambda x: x,
    prepare=_prepare_copy,
    writes=("x",),
    rebase=_rebase,
    family="in_place",
    holomorphic=False,
)
def copy_(x, source, /):
    """Write `source`, broadcast, into `x`."""


copy_.vjp(x=lambda g: None, source=lambda g: g)


def _prepare_fill(arguments, params):
    x, value = arguments
    value = as_operand(value, x.spec.dtype, x.spec.device)
    if value.spec.shape:
        raise ShapeError(
            "fill_",
            "value",
            expected="one number, a tensor without axes",
            got=value.spec.shape,
            hint="copy_ writes many",
        )
    return (x, value), params


@composite(lambda x: x, prepare=_prepare_fill, writes=("x",), family="in_place")
def fill_(x, value, /):
    """Write one number everywhere."""
    return copy_(x, value)


@composite(lambda x: x, writes=("x",), family="in_place")
def zero_(x, /):
    """Write 0 everywhere."""
    return copy_(x, 0)
