"""Calls large enough that a backend may share them out among threads or leave the order of sums to
chance: many terms, many collisions, ties. Each gives tensors, values and gradients.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import plugrad
from plugrad import nn
from plugrad.nn import functional as F

Results = list[Any]


def _reals(device: str, *shape: int, seed: int = 5, grad: bool = False) -> Any:
    array = np.random.RandomState(seed).standard_normal(shape).astype(np.float32)
    return plugrad.tensor(array, device=device).requires_grad_(grad)


def _places(device: str, below: int, *shape: int) -> Any:
    array = np.random.RandomState(6).randint(0, below, shape)
    return plugrad.tensor(array, device=device)


def _with_gradients(out: Any, *inputs: Any) -> Results:
    """The result, and what a cotangent with elements of every size makes of it."""
    values = np.random.RandomState(7).standard_normal(tuple(out.shape)) ** 3
    cotangent = plugrad.tensor(values.astype(np.float32), device=out.device)
    return [out.detach(), *plugrad.autograd.grad(out, list(inputs), [cotangent])]


def sums(device: str) -> Results:
    """Of all elements and along each axis."""
    x = _reals(device, 513, 1031)
    return [x.sum(), x.sum(0), x.sum(1), x.mean(), x.cumsum(1), x.logsumexp(0)]


def products(device: str) -> Results:
    """Of matrices of odd sizes."""
    x, y = _reals(device, 301, 259, grad=True), _reals(device, 259, 207, seed=8, grad=True)
    return _with_gradients(x @ y, x, y)


def elementwise(device: str) -> Results:
    """A transcendental chain over more than 2**16 elements, with a broadcast operand."""
    x, y = _reals(device, 331, 401, grad=True), _reals(device, 401, seed=8, grad=True)
    return _with_gradients((x * y).tanh() + (x - y).sigmoid().exp(), x, y)


def rows(device: str) -> Results:
    """Softmax, layer norm and cross-entropy of many rows."""
    x = _reals(device, 1200, 97, grad=True)
    weight, bias = _reals(device, 97, seed=8, grad=True), _reals(device, 97, seed=9, grad=True)
    normal = F.layer_norm(x, (97,), weight, bias)
    loss = F.cross_entropy(x, _places(device, 97, 1200), reduction="none")
    return [
        *_with_gradients(x.softmax(1), x),
        *_with_gradients(normal, x, weight, bias),
        *_with_gradients(loss, x),
    ]


def images(device: str) -> Results:
    """Convolution, BatchNorm and overlapping pooling."""
    x = _reals(device, 6, 5, 27, 25, grad=True)
    weight = _reals(device, 9, 5, 3, 3, seed=8, grad=True)
    scale, shift = _reals(device, 9, seed=9, grad=True), _reals(device, 9, seed=10, grad=True)
    y = F.conv2d(x, weight, padding=1)
    y = F.batch_norm(y, None, None, scale, shift, training=True)
    y = nn.Sequential(nn.MaxPool2d(3, 2), nn.AvgPool2d(3, 1))(y)
    return _with_gradients(y, x, weight, scale, shift)


def collisions(device: str) -> Results:
    """Thousands of rows added to few places, in each way that there is."""
    source = _reals(device, 20000, 5, grad=True)
    index, zeros = _places(device, 17, 20000), _reals(device, 17, 5, seed=8, grad=True)
    along = index.unsqueeze(1).expand(-1, 5)
    table = _reals(device, 17, 5, seed=9, grad=True)
    return [
        *_with_gradients(zeros.index_add(0, index, source), zeros, source),
        *_with_gradients(zeros.scatter_add(0, along, source), zeros, source),
        *_with_gradients(zeros.index_put((index,), source, accumulate=True), zeros, source),
        *_with_gradients(F.embedding(index, table), table),
        *_with_gradients(table[index], table),
        *_with_gradients(table.index_select(0, index), table),
    ]


def ties(device: str) -> Results:
    """Sorting and searching among equal elements; scatter where the last of equal places counts."""
    x = _places(device, 4, 300, 211).to(plugrad.float32).requires_grad_()
    values, order = x.sort(dim=1, stable=True)
    largest, where = x.max(dim=0)
    return [values.detach(), order, largest.detach(), where, x.argmin(1), x.amax(1).detach()]


def draws(device: str) -> Results:
    """Random numbers from a seed of their own."""
    generator = plugrad.Generator().manual_seed(11)
    given: dict[str, Any] = {"generator": generator, "device": device}
    return [
        plugrad.rand(70001, **given),
        plugrad.randn(333, 217, **given),
        plugrad.randint(-50, 50, (70001,), **given),
        plugrad.randperm(10007, **given),
    ]


def attention(device: str) -> Results:
    """Causal attention of several heads."""
    q, k, v = (_reals(device, 3, 4, 65, 16, seed=seed, grad=True) for seed in (8, 9, 10))
    return _with_gradients(F.scaled_dot_product_attention(q, k, v, is_causal=True), q, k, v)


HEAVY: dict[str, Callable[[str], Results]] = {
    made.__name__: made
    for made in (
        *(sums, products, elementwise, rows, images),
        *(collisions, ties, draws, attention),
    )
}
