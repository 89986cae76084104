"""Normalisation: mean 0 and variance 1 over some axes, then scale and shift.

Statistics are those of the data as it is: the variance divides by the count, without correction.
Each backward is an operator of its own with a body, so that it has a derivative in turn.
"""

from __future__ import annotations

from plugrad.errors import DtypeError, ShapeError
from plugrad.families import composite
from plugrad.ops.elementwise import rsqrt
from plugrad.ops.reduction import mean, reduced_count, unreduce
from plugrad.ops.reduction import sum as sum_over
from plugrad.ops.views import reshape
from plugrad.spec import spec_of


def _check(operator, x, parameters, shape):
    """What holds for input and parameters; `parameters` maps names to specs or None, all of one
    `shape`.
    """
    if not x.dtype.is_floating_point:
        raise DtypeError(
            operator, "input", expected="a floating dtype", got=x.dtype, hint="cast it"
        )
    for name, spec in parameters.items():
        if spec is None:
            continue
        if spec.shape != shape:
            raise ShapeError(
                operator, name, expected=f"{shape}, for input {x.shape}", got=spec.shape
            )
        if spec.dtype is not x.dtype:
            raise DtypeError(
                operator, name, expected=f"the input's dtype, {x.dtype}", got=spec.dtype
            )


# layer norm ---------------------------------------------------------------------------------------


def _layer_norm_spec(x, weight, bias, axes):
    if not 0 < axes <= len(x.shape):
        raise ShapeError(
            "layer_norm", "input", expected=f"at least {max(axes, 1)} axes", got=x.shape
        )
    _check("layer_norm", x, {"weight": weight, "bias": bias}, x.shape[-axes:])
    return x


@composite(_layer_norm_spec)
def layer_norm(x, weight, bias, /, axes, eps):
    """The elements along the last `axes` axes brought to mean 0 and variance 1, times `weight`,
    plus `bias`.

    `weight` and `bias` have the shape of those axes, or are None. `eps` is added to the variance.
    """
    centred, scale = _centre(x, _trailing(x, axes), eps)
    return _affine(centred * scale, weight, bias)


layer_norm.vjp_together(
    "x weight bias",
    lambda g, x, weight, axes, eps: layer_norm_backward(g, x, weight, axes, eps),
)


def _layer_norm_backward_spec(x, axes):
    parameter = spec_of(x.shape[len(x.shape) - axes :], x.dtype, x.device)
    return x, parameter, parameter


@composite(_layer_norm_backward_spec)
def layer_norm_backward(g, x, weight, /, axes, eps):
    """The cotangents of layer_norm's input, weight and bias."""
    inner = _trailing(x, axes)
    outer = tuple(range(len(x.shape) - axes))
    centred, scale = _centre(x, inner, eps)
    normal = centred * scale
    scaled = g if weight is None else g * weight
    return (
        _project(scaled, normal, scale, inner),
        sum_over(g * normal, outer),
        sum_over(g, outer),
    )


# batch norm ---------------------------------------------------------------------------------------


def _check_channels(operator, x, parameters):
    if len(x.shape) < 2:
        raise ShapeError(operator, "input", expected="(N, C, ...)", got=x.shape)
    _check(operator, x, parameters, x.shape[1:2])


def _batch_norm_spec(x, weight, bias):
    _check_channels("batch_norm", x, {"weight": weight, "bias": bias})
    channel = spec_of(x.shape[1:2], x.dtype, x.device)
    return x, channel, channel


@composite(_batch_norm_spec)
def batch_norm(x, weight, bias, /, eps):
    """Each channel of `x` (N, C, ...) brought to mean 0 and variance 1, times `weight` (C,), plus
    `bias` (C,), or None.

    Also the channels' means (C,) and variances (C,). `eps` is added to the variance.
    """
    dims = _but_channels(x)
    average = mean(x, dims, True)
    centred = x - average
    variance = mean(centred * centred, dims, True)  # two passes: E[x²] - E[x]² cancels
    out = _affine_channels(centred * rsqrt(variance + eps), weight, bias)
    channels = x.shape[1:2]
    return out, reshape(average, channels), reshape(variance, channels)


batch_norm.vjp_together(
    "x weight bias", lambda g, x, weight, eps: _batch_norm_cotangents(g, x, weight, eps)
)


def _batch_norm_cotangents(cotangents, x, weight, eps):
    g, g_mean, g_variance = cotangents
    along, for_weight, for_bias = None, None, None
    if g is not None:
        along, for_weight, for_bias = batch_norm_backward(g, x, weight, eps)
    dims = _but_channels(x)
    count = reduced_count(x.shape, dims)
    if g_mean is not None:
        part = _as_channels(g_mean, x) / count
        along = unreduce(part, x.shape, dims, True) if along is None else along + part
    if g_variance is not None:
        part = (x - mean(x, dims, True)) * (_as_channels(g_variance, x) * (2 / count))
        along = part if along is None else along + part
    return along, for_weight, for_bias


def _batch_norm_backward_spec(x):
    channel = spec_of(x.shape[1:2], x.dtype, x.device)
    return x, channel, channel


@composite(_batch_norm_backward_spec)
def batch_norm_backward(g, x, weight, /, eps):
    """The cotangents of batch_norm's input, weight and bias, from that of the normalised output."""
    dims = _but_channels(x)
    centred, scale = _centre(x, dims, eps)
    normal = centred * scale
    scaled = g if weight is None else g * _as_channels(weight, x)
    return _project(scaled, normal, scale, dims), sum_over(g * normal, dims), sum_over(g, dims)


def _batch_norm_inference_spec(x, mean, var, weight, bias):
    parameters = {"running_mean": mean, "running_var": var, "weight": weight, "bias": bias}
    _check_channels("batch_norm", x, parameters)
    return x


@composite(_batch_norm_inference_spec)
def batch_norm_inference(x, mean, var, weight, bias, /, eps):
    """`batch_norm` with means (C,) and variances (C,) that are given."""
    scale = rsqrt(var + eps)
    centred = x - _as_channels(mean, x)
    return _affine_channels(centred * _as_channels(scale, x), weight, bias)


# what bodies share --------------------------------------------------------------------------------


def _centre(x, dims, eps):
    """The distances from the mean, and the reciprocal of the standard deviation."""
    centred = x - mean(x, dims, True)
    variance = mean(centred * centred, dims, True)  # two passes: E[x²] - E[x]² cancels
    return centred, rsqrt(variance + eps)


def _project(g, normal, scale, dims):
    """The cotangent of what was normalised: `g` without what changes mean and variance."""
    along = mean(g * normal, dims, True)
    return scale * (g - mean(g, dims, True) - normal * along)


def _affine(x, weight, bias):
    if weight is not None:
        x = x * weight
    return x if bias is None else x + bias


def _affine_channels(x, weight, bias):
    return _affine(
        x,
        None if weight is None else _as_channels(weight, x),
        None if bias is None else _as_channels(bias, x),
    )


def _as_channels(parameter, x):
    """(C,) as (C, 1, ...), which broadcasts against (N, C, ...)."""
    return reshape(parameter, (x.shape[1], *(1,) * (len(x.shape) - 2)))


def _but_channels(x):
    return (0, *range(2, len(x.shape)))


def _trailing(x, axes):
    return tuple(range(len(x.shape) - axes, len(x.shape)))
