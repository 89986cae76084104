"""Optimizer steps: in place, each in one pass over memory."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import prange

from plugrad.hooks import kernel
from plugrad_numba import scalars
from plugrad_numba.compiling import compiled
from plugrad_numba.layout import FLOATS


@kernel
def sgd_step(params, grads, momenta, lr, momentum, dampening, weight_decay, nesterov, maximize):
    flat = _flat(grads, params, momenta)
    if flat is None:
        return None
    for g, p, m in flat:
        number = p.dtype.type
        settings = map(number, (lr, momentum, 1 - dampening, weight_decay))
        _sgd_step(p.size, p, g, m, *settings, nesterov, maximize)
    return params, momenta


@compiled
def _sgd_step(p, g, m, lr, momentum, share, weight_decay, nesterov, maximize):
    for i in prange(p.size):
        step = -g[i] if maximize else g[i]
        if weight_decay != 0:
            step += p[i] * weight_decay
        if m is not None:
            m[i] = m[i] * momentum + step * share
            step = step + m[i] * momentum if nesterov else m[i]
        p[i] -= step * lr


@kernel
def adam_step(
    params,
    grads,
    averages,
    squares,
    maxima,
    steps,
    lr,
    beta1,
    beta2,
    eps,
    weight_decay,
    decoupled,
    maximize,
):
    flat = _flat(grads, params, averages, squares, maxima)
    if flat is None:
        return None
    for step, (g, p, m, v, top) in zip(steps, flat, strict=True):
        # Both corrections in one factor: lr/c1 * m / (sqrt(v)/c2 + eps) = (lr*c2/c1) * m / (sqrt(v)
        # + eps*c2).
        root = (1 - beta2**step) ** 0.5
        rate = lr * root / (1 - beta1**step)
        shrink = 1 - lr * weight_decay if decoupled else 1
        penalty = 0 if decoupled else weight_decay
        numbers = (rate, 1 - beta1, beta2, 1 - beta2, eps * root, shrink, penalty)
        _adam_step(2 * p.size, p, g, m, v, top, *map(p.dtype.type, numbers), maximize)
    return params, averages, squares, maxima


@compiled
def _adam_step(p, g, m, v, top, rate, new, keep, fresh, eps, shrink, penalty, maximize):
    for i in prange(p.size):
        step = -g[i] if maximize else g[i]
        if penalty != 0:
            step += p[i] * penalty
        m[i] += (step - m[i]) * new
        v[i] = v[i] * keep + step * step * fresh
        size = v[i]
        if top is not None:
            size = top[i] = scalars.larger(top[i], size)
        p[i] = p[i] * shrink - m[i] / (np.sqrt(size) + eps) * rate


@kernel
def rmsprop_step(
    params, grads, squares, averages, momenta, lr, alpha, eps, weight_decay, momentum, maximize
):
    flat = _flat(grads, params, squares, averages, momenta)
    if flat is None:
        return None
    for g, p, v, a, m in flat:
        number = p.dtype.type
        settings = map(number, (lr, alpha, 1 - alpha, eps, weight_decay, momentum))
        _rmsprop_step(2 * p.size, p, g, v, a, m, *settings, maximize)
    return params, squares, averages, momenta


@compiled
def _rmsprop_step(p, g, v, a, m, lr, keep, fresh, eps, weight_decay, momentum, maximize):
    for i in prange(p.size):
        step = -g[i] if maximize else g[i]
        if weight_decay != 0:
            step += p[i] * weight_decay
        v[i] = v[i] * keep + step * step * fresh
        size = v[i]
        if a is not None:
            a[i] += (step - a[i]) * fresh
            size -= a[i] * a[i]
        step /= np.sqrt(size) + eps
        if m is not None:
            step = m[i] = m[i] * momentum + step
        p[i] -= step * lr


@kernel
def adagrad_step(params, grads, sums, steps, lr, lr_decay, eps, weight_decay, maximize):
    flat = _flat(grads, params, sums)
    if flat is None:
        return None
    for step, (g, p, total) in zip(steps, flat, strict=True):
        numbers = (lr / (1 + (step - 1) * lr_decay), eps, weight_decay)
        _adagrad_step(2 * p.size, p, g, total, *map(p.dtype.type, numbers), maximize)
    return params, sums


@compiled
def _adagrad_step(p, g, total, rate, eps, weight_decay, maximize):
    for i in prange(p.size):
        step = -g[i] if maximize else g[i]
        if weight_decay != 0:
            step += p[i] * weight_decay
        total[i] += step * step
        p[i] -= step / (np.sqrt(total[i]) + eps) * rate


def _flat(grads, *written) -> list[list[Any]] | None:
    """Per parameter its gradient and what is written, as one-dimensional arrays, None where a group
    is missing; None if NumPy must walk what is written by strides.
    """
    groups = [group for group in written if group is not None]
    if not all(
        [
            each.dtype.char in FLOATS and each.flags.c_contiguous
            for group in groups
            for each in group
        ]
    ):
        return None
    absent = (None,) * len(grads)
    return [
        [None if each is None else each.reshape(-1) for each in arrays]
        for arrays in zip(grads, *[group or absent for group in written], strict=True)
    ]
