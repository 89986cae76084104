"""Connectionist temporal classification: the reference goes through every path there is."""

from __future__ import annotations

from itertools import groupby, product

import numpy as np

from plugrad.dtypes import float32, float64
from plugrad.ops import ctc as ops
from plugrad_conformance.case import COMPOSED, Case, call, integers, reals


def _paths(log_probs, target, blank):
    """Each path that is read as the target, with its likelihood."""
    times, classes = log_probs.shape
    for path in product(range(classes), repeat=times):
        read = [label for label, _ in groupby(path) if label != blank]
        if read == list(target):
            yield path, np.exp(sum(log_probs[t, label] for t, label in enumerate(path)))


def _examples(log_probs, targets, input_lengths, target_lengths):
    for n, (times, count) in enumerate(zip(input_lengths, target_lengths, strict=True)):
        yield n, log_probs[:times, n], targets[n, :count]


def _loss(log_probs, targets, input_lengths, target_lengths, blank, zero_infinity):
    out = np.zeros(log_probs.shape[1])
    for n, seen, target in _examples(log_probs, targets, input_lengths, target_lengths):
        total = sum(likelihood for _, likelihood in _paths(seen, target, blank))
        out[n] = -np.log(total) if total else 0 if zero_infinity else np.inf
    return out


def _backward(g, log_probs, targets, input_lengths, target_lengths, blank, zero_infinity):
    out = np.zeros(log_probs.shape)
    for n, seen, target in _examples(log_probs, targets, input_lengths, target_lengths):
        paths = list(_paths(seen, target, blank))
        total = sum(likelihood for _, likelihood in paths)
        for path, likelihood in paths:
            for t, label in enumerate(path):
                out[t, n, label] -= g[n] * likelihood / total
    return out


# times, examples, classes, targets; the shortest input and target; the blank
_SHAPES = {
    "typical": (5, 3, 3, 2, 4, 1, 0),
    "blank_last": (4, 2, 4, 2, 3, 0, 3),
    "impossible": (3, 4, 2, 3, 1, 2, 0),
}


def _operands(times, batch, classes, count, shortest, fewest, blank):
    low, high = (1, classes) if blank == 0 else (0, classes - 1)
    return (
        reals(times, batch, classes),
        integers(low, high, batch, count),
        integers(shortest, times + 1, batch),
        integers(fewest, count + 1, batch),
    )


def _every(make):
    """A call for each shape; the targets that fit no input are to cost nothing."""
    return {
        name: call(*make(*shape), blank=shape[-1], zero_infinity=name == "impossible")
        for name, shape in _SHAPES.items()
    }


def _with_cotangent(times, batch, *rest):
    return reals(batch), *_operands(times, batch, *rest)


CASES = (
    Case(ops.ctc_loss, _every(_operands), _loss, COMPOSED, (float32, float64)),
    Case(
        ops.ctc_loss_backward,
        _every(_with_cotangent),
        _backward,
        COMPOSED.wider(4),
        (float32, float64),
    ),
)
