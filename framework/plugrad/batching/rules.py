"""How operators act on a whole batch: one table by family, one by name.

A rule is `rule(size, operator, operands, params)`. Each operand is a pair (tensor, whether its axis
0 is the batch), or a tuple of such pairs; the results all have the batch axis in front. An
operator's own rule, `operator.batching`, goes before both tables. Rules are called with checked and
promoted operands, at least one of which is batched.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from plugrad.dispatch import dispatch, operators
from plugrad.dtypes import int64
from plugrad.errors import ArgumentError
from plugrad.ops.creation import arange
from plugrad.ops.joining import cat
from plugrad.ops.linalg import matmul, transpose
from plugrad.ops.views import expand, permute, reshape, select, view
from plugrad.shapes import contiguous_strides, numel

Rule = Callable[..., Any]
Operand = tuple[Any, bool]

# operands -----------------------------------------------------------------------------------------


def _is_pair(operand: Any) -> bool:
    return len(operand) == 2 and type(operand[1]) is bool


def pairs(operands: tuple[Any, ...]) -> list[Operand]:
    """The pairs (tensor, batched), those inside tuples too."""
    found: list[Operand] = []
    for each in operands:
        found += [each] if _is_pair(each) else pairs(each)
    return found


def values(operands: tuple[Any, ...]) -> tuple[Any, ...]:
    """The tensors alone, in the same tuples."""
    return tuple([each[0] if _is_pair(each) else values(each) for each in operands])


def with_batch(operand: Any, size: int) -> Any:
    """The tensor (or tuple of them) with the batch axis, repeated without a copy if it had none."""
    if not _is_pair(operand):
        return tuple([with_batch(each, size) for each in operand])
    value, batched = operand
    if batched or value is None:
        return value
    return expand(value, (size, *value.spec.shape))


def rank(operand: Operand) -> int:
    """How many axes one example has."""
    value, batched = operand
    return len(value.spec.shape) - batched


def aligned(operand: Operand, ndim: int) -> Any:
    """The tensor ready to broadcast with examples of `ndim` axes."""
    value, batched = operand
    if value is None or not batched or len(value.spec.shape) > ndim:
        return value
    size, *shape = value.spec.shape
    return view(value, (size, *(1,) * (ndim - len(shape)), *shape))


def move_axis(value: Any, source: int, target: int) -> Any:
    """One axis taken out and put in elsewhere."""
    if source == target:
        return value
    order = [axis for axis in range(len(value.spec.shape)) if axis != source]
    order.insert(target, source)
    return permute(value, tuple(order))


# rules of families --------------------------------------------------------------------------------


def through(size, operator, operands, params):
    """Where the elements stand does not matter."""
    return dispatch(operator, values(operands), params)


def elementwise(size, operator, operands, params):
    """Examples broadcast among themselves; in place the target is the largest."""
    ndim = max([rank(each) for each in operands if each[0] is not None])
    return dispatch(operator, tuple([aligned(each, ndim) for each in operands]), params)


def along(size, operator, operands, params):
    """The parameter `dim` names one axis, or several; all operands get the batch axis."""
    place = operator.parameters.index("dim")
    dim: Any = params[place]
    tensors = tuple([with_batch(each, size) for each in operands])
    number = type(dim) is int and len(tensors[0].spec.shape) == 1
    if number:  # it counts as a vector of one
        tensors = tuple([view(each, (size, 1)) for each in tensors])
    shifted = dim + 1 if isinstance(dim, int) else tuple([each + 1 for each in dim])
    out = dispatch(operator, tensors, (*params[:place], shifted, *params[place + 1 :]))
    if not number:
        return out
    return (
        tuple([view(each, (size,)) for each in out]) if type(out) is tuple else view(out, (size,))
    )


def written(size, operator, operands, params):
    """fill_: a number of its own for each example is what copy_ broadcasts."""
    return elementwise(size, operators["copy_"], operands, params)


def position(size, operator, operands, params):
    """argmax and argmin: over all elements of the example where no axis is named."""
    ((x, _),) = operands
    dim, keepdim = params
    shape = x.spec.shape[1:]
    if dim is not None and shape:
        return dispatch(operator, (x,), (dim + 1, keepdim))
    found = dispatch(operator, (reshape(x, (size, numel(shape))),), (1, False))
    return view(found, (size, *(1,) * len(shape))) if keepdim else found


def each_example(size, operator, operands, params):
    """The operator once for each example, the results stacked."""
    if size == 0:
        raise ArgumentError(
            operator.name,
            "operands",
            expected="at least one example to map over",
            got="none",
            hint="this operator runs once per example",
        )
    results = [dispatch(operator, _example(operands, index), params) for index in range(size)]
    if operator.writes:
        return None  # examples are views: the targets are written
    if type(results[0]) is tuple:
        return tuple([_stack(each) for each in zip(*results, strict=True)])
    return _stack(results)


def _example(operands, index):
    return tuple(
        [
            (select(each[0], 0, index) if each[1] else each[0])
            if _is_pair(each)
            else _example(each, index)
            for each in operands
        ]
    )


def _stack(tensors):
    return cat(tuple([reshape(each, (1, *each.spec.shape)) for each in tensors]), 0)


# views --------------------------------------------------------------------------------------------


def _physical_steps(operator, params, size, shape, batch_stride):
    """The view steps that look at every example of (size, *shape) as one step looks at `shape`."""
    name, ndim = operator.name, len(shape)
    if name == "view":
        return [(operator, ((size, *params[0]),))]
    if name == "expand":
        (sizes,) = params
        lead = len(sizes) - ndim
        wide = (operators["view"], ((size, *(1,) * lead, *shape),))
        return [*([wide] if lead else ()), (operator, ((size, *sizes),))]
    if name == "permute":
        (dims,) = params
        return [(operator, ((0, *[dim % ndim + 1 for dim in dims]),))]
    if name == "diagonal":
        offset, dim1, dim2 = params
        return [(operator, (offset, dim1 % ndim + 1, dim2 % ndim + 1))]
    if name == "as_strided":
        target, strides, offset = params
        return [(operator, ((size, *target), (batch_stride, *strides), offset))]
    if name in ("slice_dim", "select", "unfold"):
        dim, *rest = params
        if not shape:  # only unfold takes a number, as a vector of one
            return [
                (operators["view"], ((size, 1),)),
                (operator, (1, *rest)),
                (select.operator, (1, 0)),
            ]
        return [(operator, (dim % ndim + 1, *rest))]
    return [(operator, params)]  # windows and the complex views count axes from the end


def look(size, operator, operands, params):
    """The same view of every example."""
    ((x, _),) = operands
    steps = _physical_steps(operator, params, size, x.spec.shape[1:], x.layout[0][0])
    return _follow(x, steps)


def place(size, operator, operands, params):
    """The adjoint of a view."""
    ((g, _),) = operands
    shape, name, its = params
    whole = (size, *shape)
    steps = _physical_steps(operators[name], its, size, shape, contiguous_strides(whole)[0])
    if len(steps) > 1:
        return each_example(size, operator, operands, params)
    ((step, shifted),) = steps
    return dispatch(operator, (g,), (whole, step.name, shifted))


def overwrite(size, operator, operands, params):
    """A write through views."""
    x = with_batch(operands[0], size)
    shape, strides, offset = x.spec.shape[1:], contiguous_strides(x.spec.shape)[1:], 0
    batch_stride = contiguous_strides(x.spec.shape)[0]
    steps = []
    for step, its in params[0]:
        steps += _physical_steps(step, its, size, shape, batch_stride)
        shape, strides, offset = step.geometry(shape, strides, offset, *its)
    return dispatch(operator, (x, aligned(operands[1], len(shape))), (tuple(steps),))


def _follow(x, steps):
    for step, params in steps:
        x = dispatch(step, (x,), params)
    return x


# joining ------------------------------------------------------------------------------------------


def join(size, operator, operands, params):
    """cat: every piece with the batch axis."""
    return dispatch(operator, (with_batch(operands[0], size),), (params[0] + 1,))


def pad(size, operator, operands, params):
    """No padding along the batch axis."""
    padding, value = params
    return dispatch(operator, values(operands), (((0, 0), *padding), value))


def flip(size, operator, operands, params):
    """The axes stand one further back."""
    return dispatch(operator, values(operands), (tuple([dim + 1 for dim in params[0]]),))


# products -----------------------------------------------------------------------------------------


def product(size, operator, operands, params):
    """matmul: as few and as large products as the operands allow."""
    (x, x_batched), (y, y_batched) = operands
    left, right = rank(operands[0]), rank(operands[1])
    if not y_batched and right == 2:
        return matmul(x, y)  # the batch is so many more rows
    if not x_batched and left == 2 and right == 1:
        return matmul(y, transpose(x))
    if left == 1:
        x = view(x, (*x.spec.shape[:-1], 1, x.spec.shape[-1]))
    if right == 1:
        y = view(y, (*y.spec.shape, 1))
    ndim = max(left, right, 2)
    out = matmul(aligned((x, x_batched), ndim), aligned((y, y_batched), ndim))
    shape = list(out.spec.shape)
    if left == 1:
        del shape[-2]
    if right == 1:
        del shape[-1]
    return view(out, tuple(shape))


def linear(size, operator, operands, params):
    """With one weight for all, the batch is so many more rows; else a product and a sum."""
    x, (weight, own), bias = operands
    if not (own or bias[1]):
        return dispatch(operator, values(operands), params)
    turned = transpose(weight) if rank((weight, own)) > 1 else weight
    batched = x[1] or own
    multiply = product if batched else through
    out = multiply(size, operators["matmul"], (x, (turned, own)), ())
    if bias[0] is None:
        return out
    return elementwise(size, operators["add"], ((out, batched), bias), ())


def merge(size, operator, operands, params):
    """Examples are batches of images: all become one, if the weights are the same for all."""
    count = IMAGES[operator.name]
    images, weights = operands[:count], operands[count:]
    if any([batched for _, batched in weights]):
        return each_example(size, operator, operands, params)
    merged = [with_batch(each, size) for each in images]
    merged = [reshape(each, (-1, *each.spec.shape[2:])) for each in merged]
    out = dispatch(operator, (*merged, *values(weights)), params)
    if type(out) is tuple:
        return tuple([_split(each, size) for each in out])
    return _split(out, size)


def _split(x, size):
    count, *rest = x.spec.shape
    return view(x, (size, count // size, *rest))


# How many operands, from the first on, have an axis of images in front.
IMAGES = {
    "convolution": 1,
    "convolution_input_gradient": 1,
    "max_pool": 1,
    "max_pool_backward": 2,
    "avg_pool": 1,
    "avg_pool_backward": 1,
}


# indexing -----------------------------------------------------------------------------------------


def pick(size, operator, operands, params):
    """index: tensors of positions, or `None`, per axis."""
    (x, x_batched), indices = operands
    axes = _indexed(indices)
    if not axes:
        return dispatch(operator, (x, (None,)), params)
    common = max([rank(indices[axis]) for axis in axes])
    ready = [aligned(each, common) for each in indices]
    own = any([batched for _, batched in indices])
    if not own:
        out = dispatch(operator, (x, (None, *ready)), params)
        return out if _together(axes) else move_axis(out, common, 0)
    if not x_batched:
        out = dispatch(operator, (x, tuple(ready)), params)
        return move_axis(out, axes[0] if _together(axes) else 0, 0)
    # Each example at its own positions: the batch axis is indexed with the others. The positions'
    # axes then stand in front, and go back to where they belong.
    out = dispatch(operator, (x, (_numbers(x, size, common), *ready)), params)
    if not _together(axes):
        return out
    order = list(range(len(out.spec.shape)))
    positions = order[1 : 1 + common]
    del order[1 : 1 + common]
    order[1 + axes[0] : 1 + axes[0]] = positions
    return permute(out, tuple(order))


def put(size, operator, operands, params):
    """index_put."""
    x, indices, source = operands
    axes = _indexed(indices)
    own = any([batched for _, batched in indices])
    if not axes or not _together(axes) or (own and axes[0]):
        return each_example(size, operator, operands, params)
    common = max([rank(indices[axis]) for axis in axes])
    ready = [aligned(each, common) for each in indices]
    x = with_batch(x, size)
    first = _numbers(x, size, common) if own else None
    chosen = len(x.spec.shape) - 1 - len(axes) + common
    return dispatch(operator, (x, (first, *ready), aligned(source, chosen)), params)


def _indexed(indices):
    return [axis for axis, (each, _) in enumerate(indices) if each is not None]


def _together(axes):
    return axes[-1] - axes[0] + 1 == len(axes)


def _numbers(x, size, ndim):
    return view(arange(0, 1, size, int64, x.spec.device), (size, *(1,) * ndim))


def slices(size, operator, operands, params):
    """index_select and its like: with one choice for all, the axis stands one further back."""
    x, index, *sources = operands
    if index[1]:
        return each_example(size, operator, operands, params)
    tensors = (with_batch(x, size), index[0], *[with_batch(each, size) for each in sources])
    return dispatch(operator, tensors, (params[0] + 1,))


def fill(size, operator, operands, params):
    """index_fill: with one choice and one number for all, the axis stands one further back."""
    x, index, value = operands
    if index[1] or value[1]:
        return each_example(size, operator, operands, params)
    tensors = (with_batch(x, size), index[0], value[0])
    return dispatch(operator, tensors, (params[0] + 1,))


def rows(size, operator, operands, params):
    """embedding: with one table for all, only the positions are more."""
    if operands[0][1]:
        return each_example(size, operator, operands, params)
    return dispatch(operator, values(operands), params)


FAMILIES: dict[str, Rule] = {
    "elementwise": elementwise,
    "in_place": elementwise,
    "unary": through,
    "reduction": along,
    "scan": along,
    "matrix": through,
    "system": elementwise,
    "position": position,
    "view": look,
}

NAMES: dict[str, Rule] = {
    "to_device": through,
    "place": place,
    "overwrite": overwrite,
    "fill_": written,
    "cat": join,
    "pad": pad,
    "flip": flip,
    "matmul": product,
    "linear": linear,
    **dict.fromkeys(("softmax", "softmax_backward", "log_softmax", "log_softmax_backward"), along),
    **dict.fromkeys(("vector_norm", "var", "std", "sort", "argsort", "topk"), along),
    **dict.fromkeys(("gather", "scatter", "scatter_add", "scatter_mul", "scatter_max"), along),
    **dict.fromkeys(IMAGES, merge),
    "index": pick,
    "index_put": put,
    **dict.fromkeys(("index_select", "index_add", "index_copy"), slices),
    "index_fill": fill,
    "embedding": rows,
}
