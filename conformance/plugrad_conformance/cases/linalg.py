"""Products of matrices and vectors."""

from __future__ import annotations

import numpy as np

from plugrad.ops import linalg as ops
from plugrad_conformance.case import (
    CONTRACTION,
    EVERY,
    EXACT,
    FLOATS,
    HALVES,
    INTEGERS,
    SINGLE,
    Case,
    call,
    each,
    gapped,
    positive,
    reals,
    stepped,
    wide,
)


def _linear(x, weight, bias):
    out = x @ weight.T
    return out if bias is None else out + bias


CASES = (
    Case(
        ops.matmul,
        each(
            rows=call(reals(3, 4), reals(4, 5)),
            vectors=call(reals(7), reals(7)),
            matrix_vector=call(reals(3, 4), reals(4)),
            vector_matrix=call(reals(4), reals(4, 5)),
            batches=call(reals(2, 3, 4), reals(2, 4, 5)),
            stretched=call(reals(2, 1, 3, 4), reals(5, 4, 2)),
            batch_vector=call(reals(2, 3, 4), reals(4)),
            vector_batch=call(reals(4), reals(2, 4, 3)),
            long=call(reals(2, 130), reals(130, 3)),
            empty=call(reals(0, 4), reals(4, 5)),
            nothing=call(reals(3, 0), reals(0, 5)),
        ),
        np.matmul,
        CONTRACTION,
        EVERY,
    ),
    Case(
        ops.matmul,
        each(
            uneven=call(reals(67, 131), reals(131, 35)),
            large=call(reals(259, 33), reals(33, 257)),
            many=call(reals(37, 5, 7), reals(37, 7, 3)),
            aligned=call(reals(64, 128), reals(128, 64)),
            square=call(reals(5, 5), reals(5, 5)),
            deep=call(reals(2, 1, 3, 4, 5), reals(3, 1, 5, 2)),
            one_matrix=call(reals(6, 3, 4), reals(4, 5)),
            one_matrix_first=call(reals(3, 4), reals(6, 4, 5)),
            column=call(reals(5, 4), reals(4, 1)),
            row=call(reals(1, 4), reals(4, 5)),
            outer=call(reals(5, 1), reals(1, 4)),
            dot=call(reals(1, 1031), reals(1031, 1)),
            one=call(reals(1, 1), reals(1, 1)),
            no_batch=call(reals(0, 3, 4), reals(4, 5)),
            back=call(reals(3, 4), reals(4, 3)),
            tall_vector=call(reals(1031, 7), reals(7)),
            long_vectors=call(reals(4099), reals(4099)),
        ),
        np.matmul,
        CONTRACTION,
        SINGLE,
        differentiable=False,
        expands=False,
    ),
    Case(
        ops.matmul,
        each(
            gaps=call(gapped(3, 4), stepped(4, 5)),
            gaps_second=call(stepped(3, 4), gapped(4, 5)),
            gaps_batches=call(stepped(2, 3, 4), gapped(2, 4, 5)),
        ),
        np.matmul,
        CONTRACTION,
        FLOATS,
        differentiable=False,
        layouts=False,
    ),
    Case(
        ops.matmul,
        each(
            overflowing=call(wide(5, 7), wide(7, 3)),
            overflowing_batches=call(wide(2, 5, 7), wide(2, 7, 3)),
            overflowing_vectors=call(wide(33), wide(33)),
        ),
        np.matmul,
        EXACT,
        INTEGERS,
        differentiable=False,
    ),
    Case(
        ops.matmul,
        each(
            half_long=call(positive(2, 4099), positive(4099, 3)),
            half_batches=call(positive(2, 3, 2053), positive(2, 2053, 3)),
            half_vectors=call(positive(4099), positive(4099)),
        ),
        np.matmul,
        CONTRACTION,
        HALVES,
        differentiable=False,
    ),
    Case(
        ops.linear,
        each(
            rows=call(reals(3, 4), reals(5, 4), reals(5)),
            plain=call(reals(3, 4), reals(5, 4), None),
            batches=call(reals(2, 3, 4), reals(5, 4), reals(5)),
            vector=call(reals(4), reals(5, 4), reals(5)),
            single=call(reals(3, 4), reals(4), reals()),
            empty=call(reals(0, 4), reals(5, 4), reals(5)),
        ),
        _linear,
        CONTRACTION,
        EVERY,
    ),
    Case(
        ops.linear,
        each(
            uneven=call(reals(67, 131), reals(35, 131), reals(35)),
            large=call(reals(259, 33), reals(257, 33), reals(257)),
            deep=call(reals(2, 1, 3, 5), reals(4, 5), reals(4)),
            aligned=call(reals(64, 128), reals(64, 128), reals(64)),
            square=call(reals(5, 5), reals(5, 5), reals(5)),
            one_output=call(reals(5, 4), reals(1, 4), reals(1)),
            one_input=call(reals(5, 1), reals(3, 1), reals(3)),
            one_row=call(reals(1, 4), reals(3, 4), None),
            vector_plain=call(reals(4), reals(5, 4), None),
            nothing=call(reals(3, 0), reals(5, 0), reals(5)),
        ),
        _linear,
        CONTRACTION,
        SINGLE,
        differentiable=False,
        expands=False,
    ),
    Case(
        ops.linear,
        each(long=call(positive(2, 4099), positive(3, 4099), reals(3))),
        _linear,
        CONTRACTION,
        HALVES,
        differentiable=False,
    ),
    Case(
        ops.linear,
        each(gaps=call(stepped(3, 4), gapped(5, 4), reals(5))),
        _linear,
        CONTRACTION,
        FLOATS,
        differentiable=False,
        layouts=False,
    ),
    Case(
        ops.linear,
        each(overflowing=call(wide(5, 7), wide(3, 7), wide(3))),
        _linear,
        EXACT,
        INTEGERS,
        differentiable=False,
    ),
)
