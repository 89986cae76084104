"""One row per operator, in files named as in `plugrad.ops` and in the backends. `CASES` holds them
all, in that order.
"""

from __future__ import annotations

from plugrad_conformance.case import Case
from plugrad_conformance.cases import (
    activation,
    attention,
    comparison,
    convolution,
    creation,
    elementwise,
    indexing,
    joining,
    linalg,
    loss,
    normalization,
    optimizer,
    pooling,
    reduction,
    sampling,
    transfer,
    views,
)

FAMILIES = (
    creation,
    elementwise,
    comparison,
    reduction,
    views,
    joining,
    indexing,
    linalg,
    activation,
    convolution,
    pooling,
    normalization,
    loss,
    attention,
    sampling,
    optimizer,
    transfer,
)

CASES: tuple[Case, ...] = tuple([case for family in FAMILIES for case in family.CASES])
