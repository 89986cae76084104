"""The gamma function's family, inverses of the error function, the zeta function. References come
from the standard library, or sum what the operators' formulas do not.
"""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np

from plugrad.ops import special as ops
from plugrad_conformance.case import (
    COMPLEX,
    COMPOSED,
    FLOATS,
    INTEGRAL,
    Array,
    Case,
    call,
    each,
    nonzero,
    positive,
    reals,
    unit,
)
from plugrad_conformance.cases.patterns import binary

_lgamma = np.vectorize(math.lgamma, otypes=[float])
_erf = np.vectorize(math.erf, otypes=[float])
_erfc = np.vectorize(math.erfc, otypes=[float])
_normal_quantile = np.vectorize(NormalDist().inv_cdf, otypes=[float])


def _digamma(x):
    # Recurrence, from where four terms of the asymptotic series are enough.
    steps = np.arange(40.0).reshape(-1, *[1] * np.ndim(x))
    far = x + 40
    series = 1 / (2 * far) + 1 / (12 * far**2) - 1 / (120 * far**4) + 1 / (252 * far**6)
    return np.log(far) - series - np.sum(1 / (x + steps), 0)


def _zeta(x, q):
    # The sum, and behind it the integral.
    terms = np.arange(1000.0).reshape(-1, *[1] * np.broadcast(x, q).ndim)
    far = q + 1000
    rest = far ** (1 - x) / (x - 1) + far**-x / 2 + x * far ** (-x - 1) / 12
    return np.sum((q + terms) ** -x, 0) + rest


def _erfinv(x):
    out = _normal_quantile((1 + x) / 2) / math.sqrt(2)
    return out - (_erf(out) - x) * np.exp(out * out) * math.sqrt(math.pi) / 2


def _erfcx(x):
    return (np.exp(np.longdouble(x) ** 2) * _erfc(x)).astype(float)


def _orders(*shape):
    """Between 1.5 and 6."""
    return Array(shape, lambda draw, shape, dtype: draw.uniform(1.5, 6, shape))


def _shares(*shape):
    """Between 0.02 and 0.98."""
    return Array(shape, lambda draw, shape, dtype: draw.uniform(0.02, 0.98, shape))


def _of_one(function, reference, x, **variants):
    made = each(rows=call(x(3, 4)), line=call(x(37)), empty=call(x(0, 3)), **variants)
    return Case(function, made, reference, COMPOSED.wider(4), FLOATS, as_float=True, also=INTEGRAL)


CASES = (
    binary(ops.logaddexp, np.logaddexp, COMPOSED, FLOATS, also=COMPLEX),
    _of_one(ops.lgamma, _lgamma, positive, below=call(nonzero(3, 4))),
    _of_one(ops.digamma, _digamma, positive),
    Case(
        ops.zeta,
        each(rows=call(_orders(3, 4), _orders(3, 4)), outer=call(_orders(3, 1), _orders(4))),
        _zeta,
        COMPOSED,
        FLOATS,
        also=INTEGRAL,
        constants=("x",),
    ),
    _of_one(ops.erfinv, _erfinv, unit),
    _of_one(ops.ndtri, _normal_quantile, _shares),
    _of_one(ops.erfcx, _erfcx, reals),
)
