"""The methods that are operators or functions of the same name, one line each: where to look for
what a method does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from plugrad import random, variates
from plugrad.functions import (
    collecting,
    counting,
    indexing,
    joining,
    linalg,
    memory,
    numbers,
    older_linalg,
    quantiles,
    rearranging,
    reduction,
    reflections,
    reseating,
    scans,
    sloping,
    sorting,
    special,
    spectra,
    statistics,
    views,
)
from plugrad.functions import elementwise as functions
from plugrad.functions import systems as solving
from plugrad.in_place import InPlaceMethods, polygamma
from plugrad.ops import activation, comparison, elementwise, incomplete_gamma
from plugrad.ops import linalg as products
from plugrad.ops import numbers as parts
from plugrad.ops import reduction as reduce
from plugrad.ops import special as gamma

if TYPE_CHECKING:
    from plugrad.tensor import Tensor


class Methods(InPlaceMethods):
    """Tensor's operators; see their own docstrings."""

    __slots__ = ()

    # operators --------------------------------------------------------------------------------

    __add__ = __radd__ = elementwise.add
    __sub__ = elementwise.sub
    __mul__ = __rmul__ = elementwise.mul
    __truediv__ = elementwise.div
    __floordiv__ = elementwise.floor_divide
    __mod__ = elementwise.remainder
    __pow__ = elementwise.pow
    __matmul__ = products.matmul
    __neg__ = elementwise.neg
    __pos__ = numbers.positive
    __abs__ = elementwise.abs
    __lt__ = comparison.lt
    __le__ = comparison.le
    __gt__ = comparison.gt
    __ge__ = comparison.ge
    __and__ = __rand__ = comparison.bitwise_and
    __or__ = __ror__ = comparison.bitwise_or
    __xor__ = __rxor__ = comparison.bitwise_xor
    __invert__ = comparison.bitwise_not
    __lshift__ = comparison.bitwise_left_shift
    __rshift__ = comparison.bitwise_right_shift
    __getitem__ = indexing.getitem
    __setitem__ = indexing.setitem

    def __rsub__(self, other: Any) -> Tensor:
        return elementwise.sub(other, self)

    def __rtruediv__(self, other: Any) -> Tensor:
        return elementwise.div(other, self)

    def __rfloordiv__(self, other: Any) -> Tensor:
        return elementwise.floor_divide(other, self)

    def __rmod__(self, other: Any) -> Tensor:
        return elementwise.remainder(other, self)

    def __rpow__(self, other: Any) -> Tensor:
        return elementwise.pow(other, self)

    def __rlshift__(self, other: Any) -> Tensor:
        return comparison.bitwise_left_shift(other, self)

    def __rrshift__(self, other: Any) -> Tensor:
        return comparison.bitwise_right_shift(other, self)

    def __rmatmul__(self, other: Any) -> Tensor:
        return products.matmul(other, self)

    def where(self, condition: Tensor, other: Any) -> Tensor:
        """This tensor's elements where the condition holds, `other`'s elsewhere."""
        return functions.where(condition, self, other)

    real = property(views.real, doc="The real part, as a view; a real tensor is its own.")
    imag = property(views.imag, doc="The imaginary part, as a view.")

    # arithmetic and functions
    add = functions.add
    sub = functions.sub
    div = functions.div
    clamp = functions.clamp
    clip = functions.clip
    lerp = functions.lerp
    addcmul = functions.addcmul
    addcdiv = functions.addcdiv
    isclose = functions.isclose
    allclose = functions.allclose
    equal = functions.equal
    softmax = functions.softmax
    log_softmax = functions.log_softmax
    float_power = functions.float_power
    subtract, divide = functions.sub, functions.div
    mul = elementwise.mul
    floor_divide = elementwise.floor_divide
    remainder = elementwise.remainder
    fmod = elementwise.fmod
    pow = functions.pow
    neg = elementwise.neg
    abs = elementwise.abs
    sign = elementwise.sign
    sgn = elementwise.sgn
    square = elementwise.square
    maximum = elementwise.maximum
    minimum = elementwise.minimum
    clamp_min = elementwise.clamp_min
    clamp_max = elementwise.clamp_max
    exp = elementwise.exp
    expm1 = elementwise.expm1
    exp2 = elementwise.exp2
    log = elementwise.log
    log1p = elementwise.log1p
    log2 = elementwise.log2
    log10 = elementwise.log10
    sqrt = elementwise.sqrt
    rsqrt = elementwise.rsqrt
    reciprocal = elementwise.reciprocal
    sin = elementwise.sin
    cos = elementwise.cos
    tan = elementwise.tan
    asin = elementwise.asin
    acos = elementwise.acos
    atan = elementwise.atan
    atan2 = elementwise.atan2
    sinh = elementwise.sinh
    cosh = elementwise.cosh
    tanh = elementwise.tanh
    erf = elementwise.erf
    erfc = elementwise.erfc
    sigmoid = elementwise.sigmoid
    floor = elementwise.floor
    ceil = elementwise.ceil
    trunc = elementwise.trunc
    round = functions.round
    conj = elementwise.conj
    angle = elementwise.angle
    multiply, negative, absolute = elementwise.mul, elementwise.neg, elementwise.abs
    true_divide, fix, conj_physical = functions.div, elementwise.trunc, elementwise.conj
    arcsin, arccos, arctan, arctan2 = (
        elementwise.asin,
        elementwise.acos,
        elementwise.atan,
        elementwise.atan2,
    )
    asinh = arcsinh = elementwise.asinh
    acosh = arccosh = elementwise.acosh
    atanh = arctanh = elementwise.atanh
    hypot = elementwise.hypot
    logit = special.logit
    logaddexp = gamma.logaddexp
    logaddexp2 = special.logaddexp2
    xlogy = special.xlogy
    sinc = special.sinc
    erfinv = gamma.erfinv
    lgamma = gamma.lgamma
    igamma = incomplete_gamma.igamma
    igammac = incomplete_gamma.igammac
    digamma = gamma.digamma
    mvlgamma = special.multigammaln
    i0 = special.i0
    signbit = parts.signbit
    nextafter = parts.nextafter
    copysign = numbers.copysign
    frac = numbers.frac
    frexp = numbers.frexp
    ldexp = numbers.ldexp
    gcd = numbers.gcd
    lcm = numbers.lcm
    heaviside = numbers.heaviside
    nan_to_num = numbers.nan_to_num
    fmax = numbers.fmax
    fmin = numbers.fmin
    deg2rad = numbers.deg2rad
    rad2deg = numbers.rad2deg
    positive = numbers.positive
    polygamma = polygamma
    relu = activation.relu
    prelu = sloping.prelu
    hardshrink = sloping.hardshrink

    # comparisons, logic, bits
    eq = comparison.eq
    ne = comparison.ne
    lt = comparison.lt
    le = comparison.le
    gt = comparison.gt
    ge = comparison.ge
    isnan = comparison.isnan
    isinf = comparison.isinf
    isfinite = comparison.isfinite
    isposinf = numbers.isposinf
    isneginf = numbers.isneginf
    isreal = numbers.isreal
    not_equal, less, less_equal = comparison.ne, comparison.lt, comparison.le
    greater, greater_equal = comparison.gt, comparison.ge
    logical_not = comparison.logical_not
    logical_and = comparison.logical_and
    logical_or = comparison.logical_or
    logical_xor = comparison.logical_xor
    bitwise_not = comparison.bitwise_not
    bitwise_and = comparison.bitwise_and
    bitwise_or = comparison.bitwise_or
    bitwise_xor = comparison.bitwise_xor
    bitwise_left_shift = comparison.bitwise_left_shift
    bitwise_right_shift = comparison.bitwise_right_shift

    # reductions
    sum = reduce.sum
    mean = reduce.mean
    prod = reduce.prod
    amax = reduce.amax
    amin = reduce.amin
    any = reduce.any
    all = reduce.all
    logsumexp = reduction.logsumexp
    max = reduction.max
    min = reduction.min
    argmax = reduction.argmax
    argmin = reduction.argmin
    var = reduction.var
    std = reduction.std
    norm = reduction.norm
    aminmax = statistics.aminmax
    count_nonzero = statistics.count_nonzero
    nansum = statistics.nansum
    nanmean = statistics.nanmean
    cov = statistics.cov
    corrcoef = statistics.corrcoef
    dist = statistics.dist
    renorm = statistics.renorm
    median = quantiles.median
    nanmedian = quantiles.nanmedian
    mode = quantiles.mode
    kthvalue = quantiles.kthvalue
    quantile = quantiles.quantile
    nanquantile = quantiles.nanquantile
    sum_to_size = reduction.sum_to_size
    cumsum = scans.cumsum
    cumprod = scans.cumprod
    cummax = scans.cummax
    cummin = scans.cummin
    logcumsumexp = scans.logcumsumexp
    diff = scans.diff
    unique = counting.unique
    unique_consecutive = counting.unique_consecutive
    bincount = counting.bincount
    histc = counting.histc
    histogram = counting.histogram

    # chance
    bernoulli = random.bernoulli
    multinomial = variates.multinomial

    # memory
    clone = memory.clone
    contiguous = memory.contiguous
    resize_ = reseating.resize_
    resize_as_ = reseating.resize_as_
    set_ = reseating.set_
    as_subclass = reseating.as_subclass
    is_contiguous = memory.is_contiguous

    # shapes and views
    view = views.view
    view_as = views.view_as
    reshape = views.reshape
    permute = views.permute
    transpose = views.transpose
    t = views.t
    movedim = views.movedim
    squeeze = views.squeeze
    unsqueeze = views.unsqueeze
    expand = views.expand
    expand_as = views.expand_as
    broadcast_to = views.broadcast_to
    flatten = views.flatten
    ravel = views.ravel
    unflatten = views.unflatten
    narrow = views.narrow
    select = views.select
    unfold = views.unfold
    diagonal = views.diagonal
    as_strided = views.as_strided
    unbind = views.unbind
    split = unsafe_split = views.unsafe_split
    chunk = unsafe_chunk = views.chunk
    tensor_split = views.tensor_split
    split_with_sizes = unsafe_split_with_sizes = views.split_with_sizes
    hsplit = views.hsplit
    vsplit = views.vsplit
    dsplit = views.dsplit
    swapaxes = views.swapaxes
    swapdims = views.transpose
    moveaxis = views.movedim

    # joining and moving elements
    flip = joining.flip
    repeat = joining.repeat
    roll = joining.roll
    tril = joining.tril
    triu = joining.triu
    tile = rearranging.tile
    repeat_interleave = rearranging.repeat_interleave
    fliplr = rearranging.fliplr
    flipud = rearranging.flipud
    rot90 = rearranging.rot90
    diag = rearranging.diag
    diagflat = rearranging.diagflat
    diag_embed = rearranging.diag_embed
    select_scatter = rearranging.select_scatter
    slice_scatter = rearranging.slice_scatter
    diagonal_scatter = rearranging.diagonal_scatter
    as_strided_scatter = rearranging.as_strided_scatter

    # products
    matmul = linalg.matmul
    mm = linalg.mm
    bmm = linalg.bmm
    mv = linalg.mv
    dot = linalg.dot
    outer = linalg.outer
    ger = linalg.outer
    inner = linalg.inner
    vdot = linalg.vdot
    kron = linalg.kron
    cross = linalg.cross
    trace = linalg.trace
    addmm = linalg.addmm
    addmv = linalg.addmv
    addr = linalg.addr
    addbmm = linalg.addbmm
    baddbmm = linalg.baddbmm

    # matrices
    adjoint = linalg.adjoint
    matrix_power = linalg.matrix_power
    matrix_exp = linalg.matrix_exp
    det = solving.det
    slogdet = solving.slogdet
    logdet = solving.logdet
    inverse = older_linalg.inverse
    lu = older_linalg.lu
    lu_solve = older_linalg.lu_solve
    triangular_solve = older_linalg.triangular_solve
    cholesky_solve = solving.cholesky_solve
    cholesky_inverse = solving.cholesky_inverse
    cholesky = older_linalg.cholesky
    qr = older_linalg.qr
    svd = older_linalg.svd
    orgqr = older_linalg.orgqr
    geqrf = reflections.geqrf
    ormqr = reflections.ormqr
    pinverse = older_linalg.pinverse
    stft = spectra.stft
    istft = spectra.istft

    # indexing
    gather = indexing.gather
    scatter = indexing.scatter
    scatter_add = indexing.scatter_add
    index_select = indexing.index_select
    index_add = indexing.index_add
    index_copy = indexing.index_copy
    index_fill = indexing.index_fill
    index_put = indexing.index_put
    masked_fill = indexing.masked_fill
    masked_select = indexing.masked_select
    nonzero = indexing.nonzero
    argwhere = indexing.argwhere
    take = indexing.take
    take_along_dim = indexing.take_along_dim
    sort = sorting.sort
    argsort = sorting.argsort
    topk = sorting.topk
    msort = sorting.msort
    scatter_reduce = collecting.scatter_reduce
    index_reduce = collecting.index_reduce
    masked_scatter = collecting.masked_scatter
    put = collecting.put
    nonzero_static = collecting.nonzero_static
