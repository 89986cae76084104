"""Products of matrices and vectors."""

from __future__ import annotations

import numpy as np

from plugrad.ops import linalg as ops
from plugrad_conformance.case import CONTRACTION, EVERY, Case, call, each, reals


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
)
