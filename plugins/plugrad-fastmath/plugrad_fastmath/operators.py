"""The new operator: contract, body and derivative."""

from __future__ import annotations

from plugrad.families import elementwise
from plugrad.ops.elementwise import sqrt


@elementwise(result="float", takes="bool int float", body=True)
def squareplus(x, /, b):
    """`(x + sqrt(x² + b)) / 2`: a smooth ramp like softplus, but without an exponential; `b` is the
    size of the bend.

    J. T. Barron, Squareplus: a softplus-like algebraic rectifier, arXiv 2112.11687.
    """
    return (x + sqrt(x * x + b)) / 2


squareplus.vjp(x=lambda g, x, b: g * (1 + x / sqrt(x * x + b)) / 2)
