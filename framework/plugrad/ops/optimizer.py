"""One optimizer step for all parameters of a group: an operator each, so that a backend may do it
in one launch.

Every argument before the slash is a tuple with one tensor per parameter. The bodies are PyTorch's
single-tensor steps, operation by operation; complex parameters come as their real views.
"""

from __future__ import annotations

from plugrad.errors import DtypeError, ShapeError
from plugrad.families import composite
from plugrad.ops.creation import copy_
from plugrad.ops.elementwise import add_, maximum, mul_, sqrt, sub_


def _check_state(name, params, **others):
    for argument, specs in others.items():
        for own, spec in zip(params, specs or params, strict=True):
            if spec.shape != own.shape:
                expected = f"{own.shape}, the parameter's shape"
                raise ShapeError(name, argument, expected=expected, got=spec.shape)
            if spec.dtype is not own.dtype:
                expected = f"{own.dtype}, the parameter's dtype"
                raise DtypeError(name, argument, expected=expected, got=spec.dtype)


def _sgd_spec(params, grads, momenta):
    _check_state("sgd_step", params, grads=grads, momenta=momenta)
    return params, momenta


@composite(_sgd_spec, writes=("params", "momenta"), family="optimizer")
def sgd_step(params, grads, momenta, /, lr, momentum, dampening, weight_decay, nesterov, maximize):
    """Stochastic gradient descent.

    `momenta` are running sums of gradients: `m = momentum * m + (1 - dampening) * g`; None without
    momentum.
    """
    for i, (p, g) in enumerate(zip(params, grads, strict=True)):
        g = _penalised(p, -g if maximize else g, weight_decay)
        if momenta is not None:
            m = momenta[i]
            mul_(m, momentum)
            add_(m, g * (1 - dampening))
            g = g + m * momentum if nesterov else m
        sub_(p, g * lr)
    return params, momenta


def _adam_spec(params, grads, averages, squares, maxima):
    state = {"averages": averages, "squares": squares, "maxima": maxima}
    _check_state("adam_step", params, grads=grads, **state)
    return params, averages, squares, maxima


@composite(_adam_spec, writes=("params", "averages", "squares", "maxima"), family="optimizer")
def adam_step(
    params,
    grads,
    averages,
    squares,
    maxima,
    /,
    steps,
    lr,
    beta1,
    beta2,
    eps,
    weight_decay,
    decoupled,
    maximize,
):
    """Adam (D. P. Kingma, J. Ba, arXiv 1412.6980), with `decoupled` weight decay AdamW (arXiv
    1711.05101).

    `averages` and `squares` are running means of the gradients and of their squares, `maxima` the
    largest such squares (AMSGrad, arXiv 1904.09237) or None. `steps` counts each parameter's steps,
    this one included.
    """
    for i, (p, g, average, square) in enumerate(zip(params, grads, averages, squares, strict=True)):
        g = -g if maximize else g
        if decoupled:
            mul_(p, 1 - lr * weight_decay)
        else:
            g = _penalised(p, g, weight_decay)
        add_(average, (g - average) * (1 - beta1))
        mul_(square, beta2)
        add_(square, g * g * (1 - beta2))
        if maxima is not None:
            square = copy_(maxima[i], maximum(maxima[i], square))
        unbiased = sqrt(square) / (1 - beta2 ** steps[i]) ** 0.5
        sub_(p, average / (unbiased + eps) * (lr / (1 - beta1 ** steps[i])))
    return params, averages, squares, maxima


def _rmsprop_spec(params, grads, squares, averages, momenta):
    state = {"squares": squares, "averages": averages, "momenta": momenta}
    _check_state("rmsprop_step", params, grads=grads, **state)
    return params, squares, averages, momenta


@composite(_rmsprop_spec, writes=("params", "squares", "averages", "momenta"), family="optimizer")
def rmsprop_step(
    params, grads, squares, averages, momenta, /, lr, alpha, eps, weight_decay, momentum, maximize
):
    """RMSprop (T. Tieleman, G. Hinton, lecture 6.5 of Neural networks for machine learning, 2012).

    `squares` are running means of the squared gradients. With `averages`, those of the gradients
    themselves, the step is divided by the root of the variance (A. Graves, arXiv 1308.0850); with
    `momenta` it is added to a running sum of steps. Either may be None.
    """
    for i, (p, g, square) in enumerate(zip(params, grads, squares, strict=True)):
        g = _penalised(p, -g if maximize else g, weight_decay)
        mul_(square, alpha)
        add_(square, g * g * (1 - alpha))
        size = square
        if averages is not None:
            average = averages[i]
            add_(average, (g - average) * (1 - alpha))
            size = square - average * average
        g = g / (sqrt(size) + eps)
        if momenta is not None:
            g = add_(mul_(momenta[i], momentum), g)
        sub_(p, g * lr)
    return params, squares, averages, momenta


def _adagrad_spec(params, grads, sums):
    _check_state("adagrad_step", params, grads=grads, sums=sums)
    return params, sums


@composite(_adagrad_spec, writes=("params", "sums"), family="optimizer")
def adagrad_step(params, grads, sums, /, steps, lr, lr_decay, eps, weight_decay, maximize):
    """Adagrad (J. Duchi, E. Hazan, Y. Singer, JMLR 12, 2011, 2121-2159).

    `sums` are of all squared gradients so far. `steps` counts each parameter's steps, this one
    included; the rate falls as `lr / (1 + (steps - 1) * lr_decay)`.
    """
    for p, g, total, step in zip(params, grads, sums, steps, strict=True):
        g = _penalised(p, -g if maximize else g, weight_decay)
        add_(total, g * g)
        sub_(p, g / (sqrt(total) + eps) * (lr / (1 + (step - 1) * lr_decay)))
    return params, sums


def _penalised(p, g, weight_decay):
    return g + p * weight_decay if weight_decay else g
