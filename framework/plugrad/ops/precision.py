"""How composites of many steps round: once, at the end."""

from __future__ import annotations

from plugrad.backends import backend
from plugrad.devices import META
from plugrad.dtypes import float32, float64
from plugrad.ops.creation import cast


def in_double(formula, *operands):
    """What a formula gives in float64, or in float32 on a backend that has nothing wider, in the
    operands' dtype.
    """
    spec = operands[0].spec
    name = spec.device.type
    wide = float64 if name == META or float64 in backend(name).manifest.dtypes else float32
    out = formula(*[_in(wide, operand) for operand in operands])
    return _in(spec.dtype, out)


def polynomial(coefficients, x):
    """The value of a polynomial; coefficients from the highest power down."""
    out = coefficients[0]
    for each in coefficients[1:]:
        out = out * x + each
    return out


def _in(dtype, x):
    return x if x.spec.dtype is dtype else cast(x, dtype)
