"""Connectionist temporal classification: the likelihood of a sequence of labels, summed over all
the ways in which it can lie in time. A. Graves et al., ICML 2006.

A way is a path through 2 S + 1 states, the S labels with a blank before, between and behind them:
at each time it stays, or goes one state on, or from one label to the next past the blank between,
if the two differ. Everything is a logarithm; `_NEVER` stands for that of 0 and is finite, so that
differences of two remain numbers.
"""

from __future__ import annotations

from math import inf, nan

from plugrad.dtypes import float32, float64, int64
from plugrad.errors import ArgumentError, DtypeError, ShapeError
from plugrad.families import composite
from plugrad.ops.comparison import where
from plugrad.ops.creation import arange, full
from plugrad.ops.elementwise import clamp_min, exp, log, maximum
from plugrad.ops.indexing import gather, scatter_add
from plugrad.ops.joining import cat, pad
from plugrad.ops.views import expand, reshape, select, slice_dim
from plugrad.spec import spec_of

_NEVER = -1e30


def _check(operator, log_probs, targets, input_lengths, target_lengths, blank):
    if log_probs.dtype not in (float32, float64):
        raise DtypeError(operator, "log_probs", expected="float32 or float64", got=log_probs.dtype)
    if len(log_probs.shape) != 3 or not log_probs.shape[1]:
        raise ShapeError(operator, "log_probs", expected="(T, N, C), N not 0", got=log_probs.shape)
    _, batch, classes = log_probs.shape
    if len(targets.shape) != 2 or targets.shape[0] != batch:
        raise ShapeError(operator, "targets", expected=f"({batch}, S)", got=targets.shape)
    for name, lengths in (("input_lengths", input_lengths), ("target_lengths", target_lengths)):
        if lengths.shape != (batch,):
            raise ShapeError(operator, name, expected=f"({batch},)", got=lengths.shape)
        if lengths.dtype is not int64:
            raise DtypeError(operator, name, expected="int64", got=lengths.dtype)
    if targets.dtype is not int64:
        raise DtypeError(operator, "targets", expected="int64 classes", got=targets.dtype)
    if not 0 <= blank < classes:
        raise ArgumentError(
            operator, "blank", expected=f"a class from 0 to {classes - 1}", got=blank
        )


def _ctc_loss_spec(log_probs, targets, input_lengths, target_lengths, blank):
    _check("ctc_loss", log_probs, targets, input_lengths, target_lengths, blank)
    return spec_of((log_probs.shape[1],), log_probs.dtype, log_probs.device)


@composite(_ctc_loss_spec)
def ctc_loss(log_probs, targets, input_lengths, target_lengths, /, blank, zero_infinity):
    """Minus the log-likelihood (N,) of the first `target_lengths` of `targets` (N, S) in the first
    `input_lengths` of `log_probs` (T, N, C).

    Infinite where no path is long enough, or 0 with `zero_infinity`; the derivative is NaN there,
    or 0.
    """
    labels, skips = _states(targets, target_lengths, blank)
    emissions = _emissions(log_probs, labels)
    reached = _forwards(emissions, skips, input_lengths)[-1]
    total = _likelihood(reached, target_lengths)
    return where(total < _NEVER / 2, 0 if zero_infinity else inf, -total)


ctc_loss.vjp(
    log_probs=lambda g, log_probs, targets, input_lengths, target_lengths, blank, zero_infinity: (
        ctc_loss_backward(
            g, log_probs, targets, input_lengths, target_lengths, blank, zero_infinity
        )
    )
)


def _ctc_loss_backward_spec(g, log_probs, targets, input_lengths, target_lengths, blank):
    name = "ctc_loss_backward"
    _check(name, log_probs, targets, input_lengths, target_lengths, blank)
    if g.shape != (log_probs.shape[1],):
        raise ShapeError(name, "g", expected=f"({log_probs.shape[1]},)", got=g.shape)
    return log_probs


@composite(_ctc_loss_backward_spec)
def ctc_loss_backward(
    g, log_probs, targets, input_lengths, target_lengths, /, blank, zero_infinity
):
    """The cotangent of ctc_loss's `log_probs`: minus the share of the paths that emit each class at
    each time.
    """
    labels, skips = _states(targets, target_lengths, blank)
    emissions = _emissions(log_probs, labels)
    forwards = _forwards(emissions, skips, input_lengths)
    total = _likelihood(forwards[-1], target_lengths)
    times, batch, states = emissions.shape
    if not times:
        return full(log_probs.spec.shape, 0, g.dtype, g.device)
    before = reshape(cat(tuple(forwards[1:]), 0), emissions.shape)
    backwards = _backwards(emissions, skips, input_lengths, target_lengths)
    after = reshape(cat(tuple(backwards), 0), emissions.shape)
    # Both count what the state itself emits.
    share = exp(before + after - emissions - reshape(total, (batch, 1)))
    impossible = reshape(total < _NEVER / 2, (batch, 1))
    share = where(impossible, 0 if zero_infinity else nan, share * -reshape(g, (batch, 1)))
    lasting = reshape(arange(0, 1, times, int64, g.device), (times, 1)) < input_lengths
    share = where(reshape(lasting, (times, batch, 1)), share, 0)
    zeros = full(log_probs.spec.shape, 0, g.dtype, g.device)
    return scatter_add(zeros, expand(labels, (times, batch, states)), share, 2)


def _states(targets, lengths, blank):
    """The class (N, 2 S + 1) that each state emits, and whether a path may come from two before."""
    batch, count = targets.shape
    within = arange(0, 1, count, int64, targets.device) < reshape(lengths, (batch, 1))
    # What stands behind a sequence is no class.
    classes = reshape(where(within, targets, blank), (batch, count, 1))
    blanks = full((batch, count, 1), blank, int64, targets.device)
    pairs = reshape(cat((blanks, classes), 2), (batch, 2 * count))
    labels = cat((pairs, full((batch, 1), blank, int64, targets.device)), 1)
    two_before = slice_dim(pad(labels, ((0, 0), (2, 0)), blank), 1, 0, 2 * count + 1, 1)
    return labels, (labels != blank) & (labels != two_before)


def _emissions(log_probs, labels):
    """The log-probability (T, N, 2 S + 1) of what each state emits."""
    shape = (log_probs.shape[0], *labels.shape)
    return clamp_min(gather(log_probs, expand(labels, shape), 2), _NEVER)


def _forwards(emissions, skips, input_lengths):
    """For each time, from before the first, the likelihood of the paths up to each state then."""
    times, batch, states = emissions.shape
    first = arange(0, 1, states, int64, emissions.device) == 0
    reached = where(expand(first, (batch, states)), 0, _never(emissions))
    found = [reached]
    for time in range(times):
        padded = pad(reached, ((0, 0), (2, 0)), _NEVER)
        one = slice_dim(padded, 1, 1, 1 + states, 1)
        two = where(skips, slice_dim(padded, 1, 0, states, 1), _NEVER)
        moved = _either(reached, one, two) + select(emissions, 0, time)
        reached = where(reshape(input_lengths > time, (batch, 1)), moved, reached)
        found.append(reached)
    return found


def _backwards(emissions, skips, input_lengths, target_lengths):
    """For each time the likelihood of the paths from each state then to the last one."""
    times, batch, states = emissions.shape
    last = arange(0, 1, states, int64, emissions.device) == reshape(target_lengths * 2, (batch, 1))
    ahead = where(last, 0, _never(emissions))
    leaps = slice_dim(pad(skips, ((0, 0), (0, 2)), False), 1, 2, 2 + states, 1)
    found = []
    for time in reversed(range(times)):
        padded = pad(ahead, ((0, 0), (0, 2)), _NEVER)
        one = slice_dim(padded, 1, 1, 1 + states, 1)
        two = where(leaps, slice_dim(padded, 1, 2, 2 + states, 1), _NEVER)
        moved = _either(ahead, one, two) + select(emissions, 0, time)
        ahead = where(reshape(input_lengths > time, (batch, 1)), moved, ahead)
        found.append(ahead)
    return found[::-1]


def _either(x, y, z):
    """The logarithm of the sum of three likelihoods."""
    top = maximum(maximum(x, y), z)
    return log(exp(x - top) + exp(y - top) + exp(z - top)) + top


def _likelihood(reached, target_lengths):
    """That of all paths: those that end in the last label, and in the blank behind it."""
    batch = reached.shape[0]
    last = reshape(target_lengths * 2, (batch, 1))
    blank = gather(reached, last, 1)
    label = gather(reached, clamp_min(last - 1, 0), 1)
    label = where(last > 0, label, _NEVER)
    return reshape(_either(blank, label, _never(label)), (batch,))


def _never(like):
    return full((), _NEVER, like.dtype, like.device)
