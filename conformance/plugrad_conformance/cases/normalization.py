"""Normalisation and its backward operators."""

from __future__ import annotations

import numpy as np

from plugrad.ops import normalization as ops
from plugrad_conformance.case import COMPOSED, FLOATS, Case, call, each, positive, reals

EPS = 0.01


def _centred(x, axes, eps):
    distance = x - np.mean(x, axes, keepdims=True)
    variance = np.mean(distance**2, axes, keepdims=True)
    return distance, 1 / np.sqrt(variance + eps)


def _affine(x, weight, bias):
    x = x if weight is None else x * weight
    return x if bias is None else x + bias


def _projected(g, normal, scale, axes):
    level = np.mean(g, axes, keepdims=True)
    along = np.mean(g * normal, axes, keepdims=True)
    return scale * (g - level - normal * along)


def _last(x, axes):
    return tuple(range(x.ndim - axes, x.ndim))


def _layer_norm(x, weight, bias, axes, eps):
    distance, scale = _centred(x, _last(x, axes), eps)
    return _affine(distance * scale, weight, bias)


def _layer_norm_backward(g, x, weight, axes, eps):
    distance, scale = _centred(x, _last(x, axes), eps)
    normal = distance * scale
    scaled = g if weight is None else g * weight
    rows = tuple(range(x.ndim - axes))
    return (
        _projected(scaled, normal, scale, _last(x, axes)),
        np.sum(g * normal, rows),
        np.sum(g, rows),
    )


def _channels(parameter, x):
    return None if parameter is None else parameter.reshape(-1, *(1,) * (x.ndim - 2))


def _all_but_channels(x):
    return (0, *range(2, x.ndim))


def _batch_norm(x, weight, bias, eps):
    axes = _all_but_channels(x)
    distance, scale = _centred(x, axes, eps)
    out = _affine(distance * scale, _channels(weight, x), _channels(bias, x))
    return out, np.mean(x, axes), np.mean(distance**2, axes)


def _batch_norm_backward(g, x, weight, eps):
    axes = _all_but_channels(x)
    distance, scale = _centred(x, axes, eps)
    normal = distance * scale
    scaled = g if weight is None else g * _channels(weight, x)
    return _projected(scaled, normal, scale, axes), np.sum(g * normal, axes), np.sum(g, axes)


def _batch_norm_inference(x, mean, var, weight, bias, eps):
    normal = (x - _channels(mean, x)) / np.sqrt(_channels(var, x) + eps)
    return _affine(normal, _channels(weight, x), _channels(bias, x))


def _rows(shape, axes, weight=True, bias=True):
    inner = shape[len(shape) - axes :]
    return (reals(*shape), reals(*inner) if weight else None, reals(*inner) if bias else None)


def _images(shape, weight=True, bias=True):
    channels = shape[1]
    return (
        reals(*shape),
        reals(channels) if weight else None,
        reals(channels) if bias else None,
    )


_SHAPES = {"rows": (5, 3), "images": (2, 3, 4, 2), "line": (3, 2, 5), "large": (4, 7, 30, 31)}

CASES = (
    Case(
        ops.layer_norm,
        each(
            rows=call(*_rows((3, 8), 1), axes=1, eps=EPS),
            plain=call(*_rows((3, 8), 1, weight=False, bias=False), axes=1, eps=EPS),
            unbiased=call(*_rows((2, 3, 8), 1, bias=False), axes=1, eps=EPS),
            two_axes=call(*_rows((2, 3, 4), 2), axes=2, eps=EPS),
            vector=call(*_rows((9,), 1), axes=1, eps=0.1),
            large=call(*_rows((70, 130), 1), axes=1, eps=EPS),
            empty=call(*_rows((0, 4), 1), axes=1, eps=EPS),
        ),
        _layer_norm,
        COMPOSED.wider(4),
        FLOATS,
    ),
    Case(
        ops.layer_norm_backward,
        each(
            rows=call(reals(3, 8), *_rows((3, 8), 1)[:2], axes=1, eps=EPS),
            plain=call(reals(3, 8), reals(3, 8), None, axes=1, eps=EPS),
            two_axes=call(reals(2, 3, 4), *_rows((2, 3, 4), 2)[:2], axes=2, eps=EPS),
            large=call(reals(70, 30), *_rows((70, 30), 1)[:2], axes=1, eps=EPS),
        ),
        _layer_norm_backward,
        COMPOSED.wider(16),
        FLOATS,
    ),
    Case(
        ops.batch_norm,
        {name: call(*_images(shape), eps=EPS) for name, shape in _SHAPES.items()}
        | each(
            plain=call(*_images((4, 3, 2, 2), weight=False, bias=False), eps=EPS),
            unbiased=call(*_images((4, 3), bias=False), eps=0.1),
        ),
        _batch_norm,
        COMPOSED.wider(4),
        FLOATS,
    ),
    Case(
        ops.batch_norm_backward,
        {name: call(reals(*shape), *_images(shape)[:2], eps=EPS) for name, shape in _SHAPES.items()}
        | each(plain=call(reals(4, 3, 2, 2), reals(4, 3, 2, 2), None, eps=EPS)),
        _batch_norm_backward,
        COMPOSED.wider(32),
        FLOATS,
    ),
    Case(
        ops.batch_norm_inference,
        each(
            rows=call(reals(5, 3), reals(3), positive(3), reals(3), reals(3), eps=EPS),
            images=call(reals(2, 3, 4, 2), reals(3), positive(3), reals(3), reals(3), eps=EPS),
            plain=call(reals(2, 3, 4), reals(3), positive(3), None, None, eps=EPS),
            empty=call(reals(0, 3, 4), reals(3), positive(3), reals(3), reals(3), eps=EPS),
        ),
        _batch_norm_inference,
        COMPOSED.wider(4),
        FLOATS,
    ),
)
