"""Optimizer steps: in place, over blocks that stay in the cache, each pass writing into the same
scratch.
"""

# Kernels carry no types, and NumPy's overloads cannot follow an operand that may be absent.
# pyright: reportCallIssue=false, reportArgumentType=false

from __future__ import annotations

import numpy as np

from plugrad.hooks import kernel
from plugrad_numpy.arrays import HALVES, quietly

# Elements per block: five arrays of float32 then fill a quarter of a megabyte, and the calls still
# cost little.
_BLOCK = 1 << 14


@kernel
@quietly
def sgd_step(params, grads, momenta, lr, momentum, dampening, weight_decay, nesterov, maximize):
    if any(p.dtype in HALVES for p in params):
        return None
    for p, g, m in _blocks(params, grads, momenta):
        s = np.empty_like(p)
        if weight_decay:
            np.multiply(p, weight_decay, out=s)
            (np.subtract if maximize else np.add)(s, g, out=s)
            g = s
        elif maximize:
            g = np.negative(g, out=s)
        if m is not None:
            np.multiply(m, momentum, out=m)
            if dampening:
                np.add(m, np.multiply(g, 1 - dampening), out=m)
            else:
                np.add(m, g, out=m)
            if nesterov:
                g = np.add(np.multiply(m, momentum), g, out=s)
            else:
                g = m
        np.multiply(g, lr, out=s)
        np.subtract(p, s, out=p)
    return params, momenta


@kernel
@quietly
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
    if any(p.dtype in HALVES for p in params):
        return None
    for i, p in enumerate(params):
        top = None if maxima is None else maxima[i : i + 1]
        # Both corrections in one factor: lr/c1 * m / (sqrt(v)/c2 + eps) = (lr*c2/c1) * m / (sqrt(v)
        # + eps*c2).
        root = (1 - beta2 ** steps[i]) ** 0.5
        rate = lr * root / (1 - beta1 ** steps[i])
        one = slice(i, i + 1)
        for p, g, m, v, largest in _blocks(
            params[one], grads[one], averages[one], squares[one], top
        ):
            s = np.empty_like(p)
            if maximize:
                g = np.negative(g)
            if weight_decay and decoupled:
                np.multiply(p, 1 - lr * weight_decay, out=p)
            elif weight_decay:
                g = np.add(np.multiply(p, weight_decay, out=s), g)
            np.subtract(g, m, out=s)
            np.multiply(s, 1 - beta1, out=s)
            np.add(m, s, out=m)
            np.multiply(g, g, out=s)
            np.multiply(s, 1 - beta2, out=s)
            np.multiply(v, beta2, out=v)
            np.add(v, s, out=v)
            if largest is not None:
                v = np.maximum(largest, v, out=largest)
            np.sqrt(v, out=s)
            np.add(s, eps * root, out=s)
            np.divide(m, s, out=s)
            np.multiply(s, rate, out=s)
            np.subtract(p, s, out=p)
    return params, averages, squares, maxima


@kernel
@quietly
def rmsprop_step(
    params, grads, squares, averages, momenta, lr, alpha, eps, weight_decay, momentum, maximize
):
    if any(p.dtype in HALVES for p in params):
        return None
    for p, g, v, a, m in _blocks(params, grads, squares, averages, momenta):
        s = np.empty_like(p)
        if maximize:
            g = np.negative(g)
        if weight_decay:
            g = np.add(g, np.multiply(p, weight_decay, out=s))
        np.multiply(g, g, out=s)
        np.multiply(s, 1 - alpha, out=s)
        np.multiply(v, alpha, out=v)
        np.add(v, s, out=v)
        size = v
        if a is not None:
            np.subtract(g, a, out=s)
            np.multiply(s, 1 - alpha, out=s)
            np.add(a, s, out=a)
            np.multiply(a, a, out=s)
            size = np.subtract(v, s, out=s)
        np.sqrt(size, out=s)
        np.add(s, eps, out=s)
        np.divide(g, s, out=s)
        if m is not None:
            np.multiply(m, momentum, out=m)
            np.add(m, s, out=m)
            np.multiply(m, lr, out=s)
        else:
            np.multiply(s, lr, out=s)
        np.subtract(p, s, out=p)
    return params, squares, averages, momenta


@kernel
@quietly
def adagrad_step(params, grads, sums, steps, lr, lr_decay, eps, weight_decay, maximize):
    if any(p.dtype in HALVES for p in params):
        return None
    for i, step in enumerate(steps):
        rate = lr / (1 + (step - 1) * lr_decay)
        one = slice(i, i + 1)
        for p, g, total in _blocks(params[one], grads[one], sums[one]):
            s = np.empty_like(p)
            if maximize:
                g = np.negative(g)
            if weight_decay:
                g = np.add(g, np.multiply(p, weight_decay, out=s))
            np.add(total, np.multiply(g, g, out=s), out=total)
            np.sqrt(total, out=s)
            np.add(s, eps, out=s)
            np.divide(g, s, out=s)
            np.multiply(s, rate, out=s)
            np.subtract(p, s, out=p)
    return params, sums


def _blocks(*groups):
    """Per parameter its arrays side by side, those in C order cut into blocks; None where a group
    is missing.
    """
    for arrays in zip(*[group or (None,) * len(groups[0]) for group in groups], strict=True):
        size = arrays[0].size
        if size <= _BLOCK or not all(a is None or a.flags.c_contiguous for a in arrays):
            yield arrays
            continue
        flat = [None if a is None else a.reshape(-1) for a in arrays]
        for start in range(0, size, _BLOCK):
            yield tuple([None if a is None else a[start : start + _BLOCK] for a in flat])
