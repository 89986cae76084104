"""The methods that are operators or functions of the same name, one line each: where to look for
what a method does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from plugrad import random
from plugrad.functions import elementwise as functions
from plugrad.functions import indexing, joining, linalg, reduction, views
from plugrad.ops import activation, comparison, creation, elementwise
from plugrad.ops import reduction as reduce
from plugrad.value import Value

if TYPE_CHECKING:
    from plugrad.tensor import Tensor


class Methods(Value):
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
    __matmul__ = linalg.matmul
    __neg__ = elementwise.neg
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
    __iadd__ = elementwise.add_
    __isub__ = elementwise.sub_
    __imul__ = elementwise.mul_
    __itruediv__ = elementwise.div_
    __ifloordiv__ = elementwise.floor_divide_
    __imod__ = elementwise.remainder_
    __ipow__ = elementwise.pow_
    __iand__ = comparison.bitwise_and_
    __ior__ = comparison.bitwise_or_
    __ixor__ = comparison.bitwise_xor_
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

    def __rmatmul__(self, other: Any) -> Tensor:
        return linalg.matmul(other, self)

    real = property(views.real, doc="The real part, as a view; a real tensor is its own.")
    imag = property(views.imag, doc="The imaginary part, as a view.")

    # arithmetic and functions
    add = functions.add
    sub = functions.sub
    div = functions.div
    clamp = functions.clamp
    clamp_ = functions.clamp_
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
    pow = elementwise.pow
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
    round = elementwise.round
    conj = elementwise.conj
    angle = elementwise.angle
    multiply, negative, absolute = elementwise.mul, elementwise.neg, elementwise.abs
    add_ = functions.add_
    sub_ = functions.sub_
    mul_ = elementwise.mul_
    div_ = functions.div_
    pow_ = elementwise.pow_
    floor_divide_ = elementwise.floor_divide_
    remainder_ = elementwise.remainder_
    neg_ = elementwise.neg_
    abs_ = elementwise.abs_
    exp_ = elementwise.exp_
    log_ = elementwise.log_
    sqrt_ = elementwise.sqrt_
    rsqrt_ = elementwise.rsqrt_
    square_ = elementwise.square_
    reciprocal_ = elementwise.reciprocal_
    tanh_ = elementwise.tanh_
    sigmoid_ = elementwise.sigmoid_
    clamp_min_ = elementwise.clamp_min_
    clamp_max_ = elementwise.clamp_max_
    floor_ = elementwise.floor_
    ceil_ = elementwise.ceil_
    round_ = elementwise.round_
    trunc_ = elementwise.trunc_
    lerp_ = functions.lerp_
    addcmul_ = functions.addcmul_
    addcdiv_ = functions.addcdiv_
    relu = activation.relu

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
    logical_not_ = comparison.logical_not_
    where = functions.where

    # reductions
    sum = reduce.sum
    mean = reduce.mean
    prod = reduce.prod
    amax = reduce.amax
    amin = reduce.amin
    any = reduce.any
    all = reduce.all
    logsumexp = reduce.logsumexp
    max = reduction.max
    min = reduction.min
    argmax = reduction.argmax
    argmin = reduction.argmin
    var = reduction.var
    std = reduction.std
    cumsum = reduction.cumsum
    norm = reduction.norm

    # memory
    clone = creation.clone
    copy_ = creation.copy_
    fill_ = creation.fill_
    zero_ = creation.zero_
    uniform_ = random.uniform_
    normal_ = random.normal_
    bernoulli_ = random.bernoulli_

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
    split = views.split
    chunk = views.chunk
    tensor_split = views.tensor_split
    swapaxes = swapdims = views.transpose
    moveaxis = views.movedim

    # joining and moving elements
    flip = joining.flip
    repeat = joining.repeat
    roll = joining.roll
    tril = joining.tril
    triu = joining.triu

    # products
    matmul = linalg.matmul
    mm = linalg.mm
    bmm = linalg.bmm
    mv = linalg.mv
    dot = linalg.dot
    outer = linalg.outer

    # indexing
    gather = indexing.gather
    scatter = indexing.scatter
    scatter_ = indexing.scatter_
    scatter_add = indexing.scatter_add
    scatter_add_ = indexing.scatter_add_
    index_select = indexing.index_select
    index_add = indexing.index_add
    index_add_ = indexing.index_add_
    index_copy = indexing.index_copy
    index_copy_ = indexing.index_copy_
    index_fill = indexing.index_fill
    index_fill_ = indexing.index_fill_
    index_put = indexing.index_put
    index_put_ = indexing.index_put_
    masked_fill = indexing.masked_fill
    masked_fill_ = indexing.masked_fill_
    masked_select = indexing.masked_select
    nonzero = indexing.nonzero
    argwhere = indexing.argwhere
    take = indexing.take
    take_along_dim = indexing.take_along_dim
    sort = indexing.sort
    argsort = indexing.argsort
    topk = indexing.topk
