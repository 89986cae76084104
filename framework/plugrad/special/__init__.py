"""Special functions, under PyTorch's names: the gamma function's and the error function's families,
Bessel functions, information theory, orthogonal polynomials. Loaded when first asked for.
"""

from plugrad.functions.elementwise import log_softmax as log_softmax
from plugrad.functions.elementwise import round as round
from plugrad.functions.elementwise import softmax as softmax
from plugrad.functions.reduction import logsumexp as logsumexp
from plugrad.functions.special import entr as entr
from plugrad.functions.special import i0 as i0
from plugrad.functions.special import i1 as i1
from plugrad.functions.special import log_ndtr as log_ndtr
from plugrad.functions.special import logit as logit
from plugrad.functions.special import modified_bessel_k0 as modified_bessel_k0
from plugrad.functions.special import modified_bessel_k1 as modified_bessel_k1
from plugrad.functions.special import multigammaln as multigammaln
from plugrad.functions.special import ndtr as ndtr
from plugrad.functions.special import polygamma as polygamma
from plugrad.functions.special import sinc as sinc
from plugrad.functions.special import spherical_bessel_j0 as spherical_bessel_j0
from plugrad.functions.special import xlog1py as xlog1py
from plugrad.functions.special import xlogy as xlogy
from plugrad.ops.bessel import airy_ai as airy_ai
from plugrad.ops.bessel import bessel_j0 as bessel_j0
from plugrad.ops.bessel import bessel_j1 as bessel_j1
from plugrad.ops.bessel import bessel_y0 as bessel_y0
from plugrad.ops.bessel import bessel_y1 as bessel_y1
from plugrad.ops.bessel import i0e as i0e
from plugrad.ops.bessel import i1e as i1e
from plugrad.ops.bessel import scaled_modified_bessel_k0 as scaled_modified_bessel_k0
from plugrad.ops.bessel import scaled_modified_bessel_k1 as scaled_modified_bessel_k1
from plugrad.ops.elementwise import erf as erf
from plugrad.ops.elementwise import erfc as erfc
from plugrad.ops.elementwise import exp2 as exp2
from plugrad.ops.elementwise import expm1 as expm1
from plugrad.ops.elementwise import log1p as log1p
from plugrad.ops.elementwise import sigmoid
from plugrad.ops.incomplete_gamma import igamma, igammac
from plugrad.ops.special import digamma as digamma
from plugrad.ops.special import erfcx as erfcx
from plugrad.ops.special import erfinv as erfinv
from plugrad.ops.special import lgamma
from plugrad.ops.special import ndtri as ndtri
from plugrad.ops.special import zeta as zeta
from plugrad.special.polynomials import chebyshev_polynomial_t as chebyshev_polynomial_t
from plugrad.special.polynomials import chebyshev_polynomial_u as chebyshev_polynomial_u
from plugrad.special.polynomials import chebyshev_polynomial_v as chebyshev_polynomial_v
from plugrad.special.polynomials import chebyshev_polynomial_w as chebyshev_polynomial_w
from plugrad.special.polynomials import hermite_polynomial_h as hermite_polynomial_h
from plugrad.special.polynomials import hermite_polynomial_he as hermite_polynomial_he
from plugrad.special.polynomials import laguerre_polynomial_l as laguerre_polynomial_l
from plugrad.special.polynomials import legendre_polynomial_p as legendre_polynomial_p
from plugrad.special.polynomials import (
    shifted_chebyshev_polynomial_t as shifted_chebyshev_polynomial_t,
)
from plugrad.special.polynomials import (
    shifted_chebyshev_polynomial_u as shifted_chebyshev_polynomial_u,
)
from plugrad.special.polynomials import (
    shifted_chebyshev_polynomial_v as shifted_chebyshev_polynomial_v,
)
from plugrad.special.polynomials import (
    shifted_chebyshev_polynomial_w as shifted_chebyshev_polynomial_w,
)

expit, gammaln, psi = sigmoid, lgamma, digamma
gammainc, gammaincc = igamma, igammac
modified_bessel_i0, modified_bessel_i1 = i0, i1
