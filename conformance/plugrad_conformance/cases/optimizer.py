"""Optimizer steps, against PyTorch's published formulas; what they write is compared with what is
left out.
"""

from __future__ import annotations

import numpy as np

from plugrad.ops import optimizer as ops
from plugrad_conformance.case import (
    COMPOSED,
    FLOATS,
    SINGLE,
    Case,
    call,
    each,
    positive,
    reals,
    shifted,
)


def _penalised(p, g, weight_decay, maximize):
    return (-g if maximize else g) + weight_decay * p


def _sgd(params, grads, momenta, lr, momentum, dampening, weight_decay, nesterov, maximize):
    new, sums = [], []
    for i, (p, g) in enumerate(zip(params, grads, strict=True)):
        g = _penalised(p, g, weight_decay, maximize)
        if momenta is not None:
            m = momentum * momenta[i] + (1 - dampening) * g
            sums.append(m)
            g = g + momentum * m if nesterov else m
        new.append(p - lr * g)
    return tuple(new), tuple(sums) if momenta is not None else None


def _adam(
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
    new, first, second, largest = [], [], [], []
    for i, (p, g) in enumerate(zip(params, grads, strict=True)):
        if decoupled:
            g, p = -g if maximize else g, p * (1 - lr * weight_decay)
        else:
            g = _penalised(p, g, weight_decay, maximize)
        first.append(beta1 * averages[i] + (1 - beta1) * g)
        second.append(beta2 * squares[i] + (1 - beta2) * g * g)
        square = second[-1]
        if maxima is not None:
            square = np.maximum(maxima[i], square)
            largest.append(square)
        unbiased = np.sqrt(square / (1 - beta2 ** steps[i])) + eps
        new.append(p - lr * first[-1] / (1 - beta1 ** steps[i]) / unbiased)
    return tuple(new), tuple(first), tuple(second), None if maxima is None else tuple(largest)


def _rmsprop(
    params, grads, squares, averages, momenta, lr, alpha, eps, weight_decay, momentum, maximize
):
    new, second, first, sums = [], [], [], []
    for i, (p, g) in enumerate(zip(params, grads, strict=True)):
        g = _penalised(p, g, weight_decay, maximize)
        second.append(alpha * squares[i] + (1 - alpha) * g * g)
        size = second[-1]
        if averages is not None:
            first.append(alpha * averages[i] + (1 - alpha) * g)
            size = size - first[-1] ** 2
        g = g / (np.sqrt(size) + eps)
        if momenta is not None:
            g = momentum * momenta[i] + g
            sums.append(g)
        new.append(p - lr * g)
    centred = None if averages is None else tuple(first)
    return tuple(new), tuple(second), centred, None if momenta is None else tuple(sums)


def _adagrad(params, grads, sums, steps, lr, lr_decay, eps, weight_decay, maximize):
    new, totals = [], []
    for p, g, total, step in zip(params, grads, sums, steps, strict=True):
        g = _penalised(p, g, weight_decay, maximize)
        totals.append(total + g * g)
        new.append(p - lr / (1 + (step - 1) * lr_decay) * g / (np.sqrt(totals[-1]) + eps))
    return tuple(new), tuple(totals)


def _group(make=reals):
    """Tensors of a group: a matrix, a vector, a number."""
    return make(3, 4), make(5), make()


def _large_group(make=reals):
    """Tensors longer than a block of a kernel, and an empty one."""
    return make(259, 257), make(70001), make(0), make(1)


def _sgd_call(momenta=True, group=_group, **changes):
    params = {
        "lr": 0.1,
        "momentum": 0.9 if momenta else 0.0,
        "dampening": 0.0,
        "weight_decay": 0.0,
        "nesterov": False,
        "maximize": False,
    }
    return call(group(), group(), group() if momenta else None, **(params | changes))


def _adam_call(maxima=False, group=_group, **changes):
    params = {
        "steps": (1, 2, 3),
        "lr": 0.01,
        "beta1": 0.9,
        "beta2": 0.99,
        "eps": 1e-4,
        "weight_decay": 0.0,
        "decoupled": False,
        "maximize": False,
    }
    largest = group(positive) if maxima else None
    return call(group(), group(), group(), group(positive), largest, **(params | changes))


def _rmsprop_call(averages=False, momenta=False, group=_group, **changes):
    params = {
        "lr": 0.05,
        "alpha": 0.9,
        "eps": 1e-3,
        "weight_decay": 0.0,
        "momentum": 0.8 if momenta else 0.0,
        "maximize": False,
    }
    # A mean square is above the square of the mean: far, or the difference would cancel.
    squares = group(shifted)
    centred = group() if averages else None
    return call(
        group(), group(), squares, centred, group() if momenta else None, **(params | changes)
    )


def _adagrad_call(group=_group, **changes):
    params = {
        "steps": (1, 2, 3),
        "lr": 0.1,
        "lr_decay": 0.2,
        "eps": 1e-3,
        "weight_decay": 0.0,
        "maximize": False,
    }
    return call(group(), group(), group(positive), **(params | changes))


CASES = (
    Case(
        ops.sgd_step,
        each(
            rows=_sgd_call(),
            plain=_sgd_call(momenta=False),
            decayed=_sgd_call(weight_decay=0.2, dampening=0.5),
            nesterov=_sgd_call(nesterov=True),
            maximized=_sgd_call(momenta=False, maximize=True, weight_decay=0.1),
            dampened_nesterov=_sgd_call(nesterov=True, dampening=0.3, momentum=0.7, lr=0.3),
            maximized_momenta=_sgd_call(maximize=True, momentum=0.5, weight_decay=0.1),
            still=_sgd_call(momentum=0.0, lr=1.0),
        ),
        _sgd,
        COMPOSED,
        FLOATS,
        differentiable=False,
    ),
    Case(
        ops.adam_step,
        each(
            rows=_adam_call(),
            decayed=_adam_call(weight_decay=0.2),
            decoupled=_adam_call(weight_decay=0.2, decoupled=True),
            largest=_adam_call(maxima=True),
            maximized=_adam_call(maximize=True),
            late=_adam_call(steps=(100, 7, 1), lr=0.3, beta1=0.5, beta2=0.7, eps=0.1),
            maximized_decayed=_adam_call(maximize=True, weight_decay=0.3),
            maximized_decoupled=_adam_call(
                maxima=True, maximize=True, weight_decay=0.3, decoupled=True
            ),
        ),
        _adam,
        COMPOSED,
        FLOATS,
        differentiable=False,
    ),
    Case(
        ops.sgd_step,
        each(
            large=_sgd_call(group=_large_group, weight_decay=0.2, dampening=0.5),
            large_plain=_sgd_call(group=_large_group, momenta=False),
            large_nesterov=_sgd_call(group=_large_group, nesterov=True, maximize=True),
        ),
        _sgd,
        COMPOSED,
        SINGLE,
        differentiable=False,
        layouts=False,
    ),
    Case(
        ops.adam_step,
        each(
            large=_adam_call(group=_large_group, weight_decay=0.2, steps=(1, 2, 3, 4)),
            large_decoupled=_adam_call(
                group=_large_group,
                maxima=True,
                weight_decay=0.2,
                decoupled=True,
                maximize=True,
                steps=(1, 2, 3, 4),
            ),
        ),
        _adam,
        COMPOSED,
        SINGLE,
        differentiable=False,
        layouts=False,
    ),
    Case(
        ops.rmsprop_step,
        each(
            rows=_rmsprop_call(),
            centred=_rmsprop_call(averages=True, maximize=True, weight_decay=0.2),
            momenta=_rmsprop_call(momenta=True, weight_decay=0.1),
            all=_rmsprop_call(averages=True, momenta=True, alpha=0.7, lr=0.3),
        ),
        _rmsprop,
        COMPOSED,
        FLOATS,
        differentiable=False,
    ),
    Case(
        ops.adagrad_step,
        each(
            rows=_adagrad_call(),
            decayed=_adagrad_call(weight_decay=0.3, maximize=True, steps=(9, 1, 4)),
        ),
        _adagrad,
        COMPOSED,
        FLOATS,
        differentiable=False,
    ),
    Case(
        ops.rmsprop_step,
        each(large=_rmsprop_call(True, True, _large_group, weight_decay=0.2)),
        _rmsprop,
        COMPOSED,
        SINGLE,
        differentiable=False,
        layouts=False,
    ),
    Case(
        ops.adagrad_step,
        each(large=_adagrad_call(_large_group, weight_decay=0.2, steps=(1, 2, 3, 4))),
        _adagrad,
        COMPOSED,
        SINGLE,
        differentiable=False,
        layouts=False,
    ),
)
