"""Convolution and its two gradients: one bilinear map, seen from each of its three tensors. And the
windows that it sees, as columns.

The input `x` is (N, C, *spatial) with one to three spatial axes, the weight (O, C / groups,
*kernel), the output or its cotangent `y` (N, O, *out); parameters are one number per spatial axis.
Each operator's derivative is stated with the other two, so that every order of derivative is there.
"""

from __future__ import annotations

from itertools import product

from plugrad.errors import ArgumentError, DtypeError, ShapeError
from plugrad.families import composite
from plugrad.geometry import window_counts
from plugrad.ops.creation import full
from plugrad.ops.elementwise import add_
from plugrad.ops.joining import pad
from plugrad.ops.linalg import matmul, transpose
from plugrad.ops.reduction import sum as sum_over
from plugrad.ops.views import permute, reshape, select, slice_dim, windows
from plugrad.shapes import numel
from plugrad.spec import spec_of


def _check_operands(operator, first, second, parameters, groups):
    """What holds for any two operands; `first` and `second` are (name, spec)."""
    name, x = first
    spatial = len(x.shape) - 2
    if not 1 <= spatial <= 3:
        raise ShapeError(
            operator,
            name,
            expected="(N, C, *spatial) with 1 to 3 spatial axes",
            got=x.shape,
            hint="unsqueeze(0) puts the batch axis in front",
        )
    if x.dtype.kind not in ("float", "complex"):
        raise DtypeError(
            operator, name, expected="a float or complex dtype", got=x.dtype, hint="cast it"
        )
    other, y = second
    if len(y.shape) != len(x.shape):
        raise ShapeError(
            operator, other, expected=f"{len(x.shape)} axes, as {name} {x.shape} has", got=y.shape
        )
    _check_dtype(operator, other, y, x)
    for parameter, values in parameters.items():
        if len(values) != spatial:
            raise ArgumentError(
                operator, parameter, expected=f"one value for each of {spatial} axes", got=values
            )
    if groups < 1:
        raise ArgumentError(operator, "groups", expected="at least 1", got=groups)


def _check_dtype(operator, name, spec, like):
    if spec.dtype is not like.dtype:
        raise DtypeError(
            operator,
            name,
            expected=f"{like.dtype}, as the first operand has",
            got=spec.dtype,
            hint=f"cast it with .to({str(like.dtype)!r})",
        )


def _check_groups(operator, name, channels, groups):
    if channels % groups:
        raise ShapeError(
            operator, name, expected=f"channels that {groups} groups divide evenly", got=channels
        )


def _check_counts(operator, y, counts):
    if y.shape[2:] != counts:
        raise ShapeError(
            operator, "y", expected=f"the spatial sizes of the output, {counts}", got=y.shape
        )


def _convolution_spec(x, weight, bias, stride, padding, dilation, groups):
    name = "convolution"
    parameters = {"stride": stride, "padding": padding, "dilation": dilation}
    _check_operands(name, ("input", x), ("weight", weight), parameters, groups)
    channels = weight.shape[1] * groups
    if x.shape[1] != channels:
        raise ShapeError(
            name,
            "input",
            expected=f"{channels} channels, for weight {weight.shape} and groups={groups}",
            got=f"{x.shape[1]} in {x.shape}",
            hint="channels are axis 1; an input without a batch axis needs unsqueeze(0)",
        )
    count = weight.shape[0]
    _check_groups(name, "weight", count, groups)
    if bias is not None:
        if bias.shape != (count,):
            raise ShapeError(name, "bias", expected=f"({count},)", got=bias.shape)
        _check_dtype(name, "bias", bias, x)
    out = window_counts(x.shape[2:], weight.shape[2:], stride, padding, dilation, name)
    return spec_of((x.shape[0], count, *out), x.dtype, x.device)


@composite(_convolution_spec)
def convolution(x, weight, bias, /, stride, padding, dilation, groups):
    """Cross-correlation of `x` with each filter, plus `bias` (O,) or None: (N, O, *out).

    Output channels fall into `groups`, each of which sees its own share of the input's channels.
    """
    kernel, count = weight.shape[2:], weight.shape[0]
    columns, out = _columns(x, kernel, stride, padding, dilation, groups)
    y = matmul(_filters(weight, groups), columns)
    y = _channels_second(reshape(y, (count, x.shape[0], *out)))
    return y if bias is None else y + reshape(bias, (count, *(1,) * len(kernel)))


convolution.vjp(
    x=lambda g, x_spec, weight, stride, padding, dilation, groups: convolution_input_gradient(
        g, weight, x_spec.shape[2:], stride, padding, dilation, groups
    ),
    weight=lambda g, x, weight_spec, stride, padding, dilation, groups: convolution_weight_gradient(
        g, x, weight_spec.shape[2:], stride, padding, dilation, groups
    ),
    bias=lambda g: sum_over(g, (0, *range(2, len(g.shape)))),
)
convolution.jvp(
    x=lambda t, weight, stride, padding, dilation, groups: convolution(
        t, weight, None, stride, padding, dilation, groups
    ),
    weight=lambda t, x, stride, padding, dilation, groups: convolution(
        x, t, None, stride, padding, dilation, groups
    ),
    bias=lambda t, x_spec: reshape(t, (*t.shape, *(1,) * (len(x_spec.shape) - 2))),
)


def _input_gradient_spec(y, weight, input_size, stride, padding, dilation, groups):
    name = "convolution_input_gradient"
    parameters = {
        "input_size": input_size,
        "stride": stride,
        "padding": padding,
        "dilation": dilation,
    }
    _check_operands(name, ("y", y), ("weight", weight), parameters, groups)
    if y.shape[1] != weight.shape[0]:
        raise ShapeError(
            name,
            "y",
            expected=f"{weight.shape[0]} channels, for weight {weight.shape}",
            got=y.shape,
        )
    _check_groups(name, "weight", weight.shape[0], groups)
    kernel = weight.shape[2:]
    _check_counts(name, y, window_counts(input_size, kernel, stride, padding, dilation, name))
    return spec_of((y.shape[0], weight.shape[1] * groups, *input_size), y.dtype, y.device)


@composite(_input_gradient_spec)
def convolution_input_gradient(y, weight, /, input_size, stride, padding, dilation, groups):
    """The cotangent of convolution's input: the transposed convolution of `y`."""
    batch, out, kernel = y.shape[0], y.shape[2:], weight.shape[2:]
    channels = weight.shape[1] * groups
    columns = matmul(transpose(_filters(weight, groups)), _rows(y, groups))
    columns = reshape(columns, (channels, *kernel, batch, *out))
    sizes = [size + 2 * margin for size, margin in zip(input_size, padding)]

    def piece(tap):
        seen = columns
        for position in tap:
            seen = select(seen, 1, position)
        return _channels_second(seen)

    padded = add_windows(piece, y, (batch, channels, *sizes), out, kernel, stride, dilation)
    return _inner(padded, input_size, padding)


convolution_input_gradient.vjp(
    y=lambda g, weight, stride, padding, dilation, groups: convolution(
        g, weight, None, stride, padding, dilation, groups
    ),
    weight=lambda g, y, weight_spec, stride, padding, dilation, groups: convolution_weight_gradient(
        y, g, weight_spec.shape[2:], stride, padding, dilation, groups
    ),
)
convolution_input_gradient.linear("y", "weight")


def _weight_gradient_spec(y, x, kernel, stride, padding, dilation, groups):
    name = "convolution_weight_gradient"
    parameters = {"kernel": kernel, "stride": stride, "padding": padding, "dilation": dilation}
    _check_operands(name, ("y", y), ("input", x), parameters, groups)
    if y.shape[0] != x.shape[0]:
        raise ShapeError(name, "y", expected=f"a batch of {x.shape[0]}, as input has", got=y.shape)
    _check_groups(name, "y", y.shape[1], groups)
    _check_groups(name, "input", x.shape[1], groups)
    _check_counts(name, y, window_counts(x.shape[2:], kernel, stride, padding, dilation, name))
    return spec_of((y.shape[1], x.shape[1] // groups, *kernel), y.dtype, y.device)


@composite(_weight_gradient_spec)
def convolution_weight_gradient(y, x, /, kernel, stride, padding, dilation, groups):
    """The cotangent of convolution's weight, whose spatial sizes are `kernel`."""
    columns, _ = _columns(x, kernel, stride, padding, dilation, groups)
    weight = matmul(_rows(y, groups), transpose(columns))
    return reshape(weight, (y.shape[1], x.shape[1] // groups, *kernel))


convolution_weight_gradient.vjp(
    y=lambda g, x, stride, padding, dilation, groups: convolution(
        x, g, None, stride, padding, dilation, groups
    ),
    x=lambda g, y, x_spec, stride, padding, dilation, groups: convolution_input_gradient(
        y, g, x_spec.shape[2:], stride, padding, dilation, groups
    ),
)
convolution_weight_gradient.linear("y", "x")


# windows as columns -------------------------------------------------------------------------------


def _im2col_spec(x, kernel, stride, padding, dilation):
    _check_image("im2col", x, kernel)
    out = window_counts(x.shape[2:], kernel, stride, padding, dilation, "im2col")
    shape = (x.shape[0], x.shape[1] * numel(kernel), numel(out))
    return spec_of(shape, x.dtype, x.device)


@composite(_im2col_spec)
def im2col(x, /, kernel, stride, padding, dilation):
    """All windows of `x`, each a column: (N, C * kernel, out)."""
    margins = ((0, 0), (0, 0), *[(margin, margin) for margin in padding])
    seen = windows(pad(x, margins, 0) if any(padding) else x, kernel, stride, dilation)
    spatial = len(kernel)
    order = (0, 1, *range(2 + spatial, 2 + 2 * spatial), *range(2, 2 + spatial))
    return reshape(permute(seen, order), _im2col_spec(x, kernel, stride, padding, dilation).shape)


im2col.vjp(
    x=lambda g, x_spec, kernel, stride, padding, dilation: col2im(
        g, x_spec.shape[2:], kernel, stride, padding, dilation
    )
)
im2col.linear("x")


def _col2im_spec(y, output_size, kernel, stride, padding, dilation):
    name = "col2im"
    out = window_counts(output_size, kernel, stride, padding, dilation, name)
    count = numel(kernel)
    if len(y.shape) != 3 or y.shape[1] % count or y.shape[2] != numel(out):
        raise ShapeError(
            name,
            "input",
            expected=f"(N, C * {count}, {numel(out)}), the windows' elements and their number",
            got=y.shape,
        )
    shape = (y.shape[0], y.shape[1] // count, *output_size)
    _check_image(name, spec_of(shape, y.dtype, y.device), kernel)
    return spec_of(shape, y.dtype, y.device)


@composite(_col2im_spec)
def col2im(y, /, output_size, kernel, stride, padding, dilation):
    """Columns (N, C * kernel, out) put back where `im2col` saw them, added up where they overlap:
    (N, C, *output_size).
    """
    out = window_counts(output_size, kernel, stride, padding, dilation, "col2im")
    batch, channels = y.shape[0], y.shape[1] // numel(kernel)
    columns = reshape(y, (batch, channels, *kernel, *out))
    sizes = [size + 2 * margin for size, margin in zip(output_size, padding)]

    def piece(tap):
        seen = columns
        for position in tap:
            seen = select(seen, 2, position)
        return seen

    padded = add_windows(piece, y, (batch, channels, *sizes), out, kernel, stride, dilation)
    return _inner(padded, output_size, padding)


col2im.vjp(
    y=lambda g, kernel, stride, padding, dilation: im2col(g, kernel, stride, padding, dilation)
)
col2im.linear("y")


def _check_image(operator, x, kernel):
    if not 3 <= len(x.shape) <= 5 or len(kernel) != len(x.shape) - 2:
        raise ShapeError(
            operator,
            "input",
            expected=f"(N, C, *spatial) with {len(kernel)} spatial axes",
            got=x.shape,
        )
    if x.dtype.kind not in ("float", "complex"):
        raise DtypeError(
            operator, "input", expected="a float or complex dtype", got=x.dtype, hint="cast it"
        )


# what they share ----------------------------------------------------------------------------------


def add_windows(piece, like, shape, out, kernel, stride, dilation):
    """Zeros (N, C, *spatial), with `piece(tap)` (N, C, *out) added where each tap looks."""
    padded = full(tuple(shape), 0, like.dtype, like.device)
    for tap in product(*map(range, kernel)):
        add_(see_tap(padded, tap, out, stride, dilation), piece(tap))
    return padded


def _inner(padded, sizes, padding):
    """What lies between the margins."""
    for axis, (size, margin) in enumerate(zip(sizes, padding)):
        padded = slice_dim(padded, axis + 2, margin, margin + size, 1)
    return padded


def see_tap(padded, tap, out, stride, dilation):
    """The element at `tap` of every window of (N, C, *spatial), as a view (N, C, *out)."""
    for axis, position in enumerate(tap):
        start = position * dilation[axis]
        stop = start + (out[axis] - 1) * stride[axis] + 1
        padded = slice_dim(padded, axis + 2, start, stop, stride[axis])
    return padded


def _columns(x, kernel, stride, padding, dilation, groups):
    """What each filter sees, as (groups, C / groups * kernel, N * out), and the sizes of out."""
    margins = ((0, 0), (0, 0), *[(margin, margin) for margin in padding])
    seen = windows(pad(x, margins, 0) if any(padding) else x, kernel, stride, dilation)
    spatial = len(kernel)
    out = seen.shape[2 : 2 + spatial]
    order = (1, *range(2 + spatial, 2 + 2 * spatial), 0, *range(2, 2 + spatial))
    batch, channels = x.shape[:2]
    rows = channels // groups * numel(kernel)
    return reshape(permute(seen, order), (groups, rows, batch * numel(out))), out


def _filters(weight, groups):
    """The weight as (groups, O / groups, C / groups * kernel)."""
    count = weight.shape[0]
    return reshape(weight, (groups, count // groups, numel(weight.shape[1:])))


def _rows(y, groups):
    """The output's cotangent as (groups, O / groups, N * out)."""
    batch, count = y.shape[:2]
    positions = batch * numel(y.shape[2:])
    return reshape(_channels_second(y), (groups, count // groups, positions))


def _channels_second(x):
    """The first two axes exchanged."""
    return permute(x, (1, 0, *range(2, len(x.shape))))
