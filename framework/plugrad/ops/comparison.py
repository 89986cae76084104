"""Comparisons, logic and bits: results are bools, or integers of the operands' dtype. And `where`,
which chooses by them.
"""

from __future__ import annotations

from plugrad.families import elementwise, in_place

REAL = "bool int float"
INTEGRAL = "bool int"


@elementwise(result="bool")
def eq(x, y, /):
    """Whether `x == y`; a NaN equals nothing."""


@elementwise(result="bool")
def ne(x, y, /):
    """Whether `x != y`; a NaN equals nothing."""


@elementwise(result="bool", takes=REAL)
def lt(x, y, /):
    """Whether `x < y`; never where one is NaN."""


@elementwise(result="bool", takes=REAL)
def le(x, y, /):
    """Whether `x <= y`; never where one is NaN."""


@elementwise(result="bool", takes=REAL)
def gt(x, y, /):
    """Whether `x > y`; never where one is NaN."""


@elementwise(result="bool", takes=REAL)
def ge(x, y, /):
    """Whether `x >= y`; never where one is NaN."""


@elementwise(result="bool")
def logical_not(x, /):
    """Whether the element is zero."""


@elementwise(result="bool")
def logical_and(x, y, /):
    """Whether both are nonzero."""


@elementwise(result="bool")
def logical_or(x, y, /):
    """Whether either is nonzero."""


@elementwise(result="bool")
def logical_xor(x, y, /):
    """Whether just one is nonzero."""


@elementwise(result="bool")
def isnan(x, /):
    """Whether the element is not a number."""


@elementwise(result="bool")
def isfinite(x, /):
    """Whether the element is neither infinite nor NaN."""


@elementwise(result="bool")
def isinf(x, /):
    """Whether the element is infinite."""


@elementwise(takes=INTEGRAL)
def bitwise_not(x, /):
    """Every bit inverted; of bools, negation."""


@elementwise(takes=INTEGRAL)
def bitwise_and(x, y, /):
    """The bits set in both."""


@elementwise(takes=INTEGRAL)
def bitwise_or(x, y, /):
    """The bits set in either."""


@elementwise(takes=INTEGRAL)
def bitwise_xor(x, y, /):
    """The bits set in just one."""


@elementwise(takes="int")
def bitwise_left_shift(x, y, /):
    """The bits moved `y` places up."""


@elementwise(takes="int")
def bitwise_right_shift(x, y, /):
    """The bits moved `y` places down; the sign stays."""


@elementwise(apart=("condition",))
def where(condition, x, y, /):
    """`x` where the bool `condition` holds, elsewhere `y`."""


where.vjp(
    x=lambda g, condition: where(condition, g, 0), y=lambda g, condition: where(condition, 0, g)
)

bitwise_and_ = in_place(bitwise_and)
bitwise_or_ = in_place(bitwise_or)
bitwise_xor_ = in_place(bitwise_xor)
logical_not_ = in_place(logical_not)
