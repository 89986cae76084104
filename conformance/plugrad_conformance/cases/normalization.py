"""Normalisation and its backward operators."""

from __future__ import annotations

import numpy as np

from plugrad.ops import normalization as ops
from plugrad_conformance.case import (
    COMPOSED,
    FLOATS,
    HALVES,
    SINGLE,
    Case,
    call,
    each,
    positive,
    reals,
    shifted,
)

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


def _rows(shape, axes, weight=True, bias=True, of=reals):
    inner = shape[len(shape) - axes :]
    return (of(*shape), reals(*inner) if weight else None, reals(*inner) if bias else None)


def _images(shape, weight=True, bias=True, of=reals):
    channels = shape[1]
    return (
        of(*shape),
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
            unweighted=call(reals(3, 8), None, reals(8), axes=1, eps=EPS),
        ),
        _layer_norm,
        COMPOSED.wider(4),
        FLOATS,
    ),
    Case(
        ops.layer_norm,
        each(
            plain_deep=call(*_rows((2, 3, 4), 2, weight=False, bias=False), axes=2, eps=EPS),
            shifted=call(*_rows((3, 8), 1, of=shifted), axes=1, eps=0.5),
            wide=call(*_rows((7, 1031), 1), axes=1, eps=EPS),
            aligned=call(*_rows((32, 256), 1), axes=1, eps=EPS),
            many=call(*_rows((4099, 17), 1), axes=1, eps=EPS),
            deep=call(*_rows((2, 3, 1, 4, 5), 2), axes=2, eps=EPS),
            three_axes=call(*_rows((2, 3, 4, 5), 3), axes=3, eps=2.0),
            one=call(*_rows((5, 1), 1), axes=1, eps=EPS),
            all=call(*_rows((3, 4), 2), axes=2, eps=EPS),
            first=call(*_rows((1, 9), 1), axes=1, eps=EPS),
        ),
        _layer_norm,
        COMPOSED.wider(4),
        SINGLE,
        differentiable=False,
    ),
    Case(
        ops.layer_norm_backward,
        each(
            rows=call(reals(3, 8), *_rows((3, 8), 1)[:2], axes=1, eps=EPS),
            plain=call(reals(3, 8), reals(3, 8), None, axes=1, eps=EPS),
            two_axes=call(reals(2, 3, 4), *_rows((2, 3, 4), 2)[:2], axes=2, eps=EPS),
            large=call(reals(70, 30), *_rows((70, 30), 1)[:2], axes=1, eps=EPS),
            vector=call(reals(9), *_rows((9,), 1)[:2], axes=1, eps=0.1),
            empty=call(reals(0, 4), *_rows((0, 4), 1)[:2], axes=1, eps=EPS),
        ),
        _layer_norm_backward,
        COMPOSED.wider(16),
        FLOATS,
    ),
    Case(
        ops.layer_norm_backward,
        each(
            shifted=call(reals(3, 8), *_rows((3, 8), 1, of=shifted)[:2], axes=1, eps=0.5),
            wide=call(reals(7, 1031), *_rows((7, 1031), 1)[:2], axes=1, eps=EPS),
            aligned=call(reals(32, 256), *_rows((32, 256), 1)[:2], axes=1, eps=EPS),
            many=call(reals(4099, 17), *_rows((4099, 17), 1)[:2], axes=1, eps=EPS),
            deep=call(reals(2, 3, 1, 4, 5), *_rows((2, 3, 1, 4, 5), 2)[:2], axes=2, eps=EPS),
            plain_deep=call(reals(2, 3, 4), reals(2, 3, 4), None, axes=2, eps=2.0),
            one=call(reals(5, 1), *_rows((5, 1), 1)[:2], axes=1, eps=EPS),
        ),
        _layer_norm_backward,
        COMPOSED.wider(16),
        SINGLE,
        differentiable=False,
        expands=False,
    ),
    Case(
        ops.batch_norm,
        {name: call(*_images(shape), eps=EPS) for name, shape in _SHAPES.items()}
        | each(
            plain=call(*_images((4, 3, 2, 2), weight=False, bias=False), eps=EPS),
            unbiased=call(*_images((4, 3), bias=False), eps=0.1),
            unweighted=call(*_images((4, 3, 5), weight=False), eps=0.1),
        ),
        _batch_norm,
        COMPOSED.wider(4),
        FLOATS,
    ),
    Case(
        ops.batch_norm,
        each(
            shifted=call(*_images((5, 3, 4), of=shifted), eps=0.5),
            many=call(*_images((4099, 5)), eps=EPS),
            channels=call(*_images((5, 131, 7, 3)), eps=EPS),
            aligned=call(*_images((16, 32, 8, 8)), eps=EPS),
            huge=call(*_images((3, 2, 113, 117)), eps=EPS),
            volume=call(*_images((2, 3, 4, 2, 3)), eps=EPS),
            one_channel=call(*_images((5, 1, 4)), eps=EPS),
            one_image=call(*_images((1, 3, 4, 5)), eps=2.0),
        ),
        _batch_norm,
        COMPOSED.wider(4),
        SINGLE,
        differentiable=False,
        expands=False,
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
        ops.batch_norm_backward,
        {
            name: call(reals(*shape), *_images(shape)[:2], eps=eps)
            for name, shape, eps in (
                ("many", (4099, 5), EPS),
                ("channels", (5, 131, 7, 3), EPS),
                ("aligned", (16, 32, 8, 8), EPS),
                ("volume", (2, 3, 4, 2, 3), 0.5),
                ("one_channel", (5, 1, 4), EPS),
                ("one_image", (1, 3, 4, 5), 2.0),
            )
        },
        _batch_norm_backward,
        COMPOSED.wider(32),
        SINGLE,
        differentiable=False,
        expands=False,
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
    Case(
        ops.batch_norm_inference,
        each(
            large=call(
                reals(5, 131, 7, 17), reals(131), positive(131), reals(131), reals(131), eps=0.5
            ),
            unbiased=call(reals(5, 3), reals(3), positive(3), reals(3), None, eps=2.0),
            unweighted=call(reals(5, 3, 2), reals(3), positive(3), None, reals(3), eps=EPS),
            volume=call(reals(2, 3, 4, 2, 3), reals(3), positive(3), reals(3), reals(3), eps=EPS),
            one_channel=call(reals(5, 1, 4), reals(1), positive(1), reals(1), reals(1), eps=EPS),
        ),
        _batch_norm_inference,
        COMPOSED.wider(4),
        SINGLE,
        differentiable=False,
    ),
    # More terms of one sign than a sum in half precision can count.
    *[
        Case(
            function,
            each(half_long=made),
            reference,
            tolerance,
            HALVES,
            differentiable=False,
            layouts=False,
        )
        for function, made, reference, tolerance in (
            (
                ops.layer_norm,
                call(*_rows((2, 4099), 1, of=positive), axes=1, eps=EPS),
                _layer_norm,
                COMPOSED.wider(4),
            ),
            (
                ops.batch_norm,
                call(*_images((4099, 2), of=positive), eps=EPS),
                _batch_norm,
                COMPOSED.wider(4),
            ),
            (
                ops.layer_norm_backward,
                call(positive(4099, 3), *_rows((4099, 3), 1)[:2], axes=1, eps=EPS),
                _layer_norm_backward,
                COMPOSED.wider(16),
            ),
            (
                ops.batch_norm_backward,
                call(positive(4099, 2), *_images((4099, 2))[:2], eps=EPS),
                _batch_norm_backward,
                COMPOSED.wider(32),
            ),
        )
    ],
)
