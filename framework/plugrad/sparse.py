"""Sparse tensors: the elements, or slices, that are not zero, and where they stand (COO).

Only what a gradient needs: they add to each other and to dense tensors, scale, coalesce and become
dense. Dispatch knows no plan for their specs and hands them their operators (`interpret`), as it
does with what a transform wraps; so the autograd engine and `.grad` take them as any tensor.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from plugrad import shapes
from plugrad.creation import DeviceLike, as_tensor, full
from plugrad.dispatch import dispatch
from plugrad.dtypes import DType, int64
from plugrad.errors import ArgumentError, ShapeError, UnsupportedError
from plugrad.functions.joining import cat
from plugrad.functions.views import unbind
from plugrad.op import Operator
from plugrad.ops import indexing, sorting
from plugrad.ops.creation import clone
from plugrad.ops.elementwise import floor_divide, remainder
from plugrad.ops.reduction import cumsum
from plugrad.shapes import contiguous_strides
from plugrad.spec import Spec
from plugrad.storage import Storage
from plugrad.tensor import Tensor

# Linear operators of one tensor: their result for a sparse one is that for its values.
_LINEAR = frozenset({"neg", "clone", "cast", "to_device", "conj"})


class SparseTensor(Tensor):
    """A tensor of `indices` (S, nnz), the places along the first S axes, and `values` (nnz, *), the
    slices that stand there; all else is zero. Slices of one place add up.
    """

    __slots__ = ()

    # Above every transform: it interprets its operators first.
    level: ClassVar[int] = 1 << 16
    is_sparse: ClassVar[bool] = True

    _indices_: Tensor
    _values_: Tensor
    _coalesced: bool

    # what it consists of ----------------------------------------------------------------------

    def is_coalesced(self) -> bool:
        """Whether no place is named twice, and places come in order."""
        return self._coalesced

    def indices(self) -> Tensor:
        """The places (S, nnz), of a coalesced tensor."""
        self._require_coalesced("indices")
        return self._indices_

    def values(self) -> Tensor:
        """The slices (nnz, *), of a coalesced tensor."""
        self._require_coalesced("values")
        return self._values_

    def _require_coalesced(self, method: str) -> None:
        if not self._coalesced:
            raise ArgumentError(
                *(method, "self"),
                expected="a coalesced tensor",
                got="one that may name a place twice",
                hint="call coalesce() first",
            )

    def _indices(self) -> Tensor:
        return self._indices_

    def _values(self) -> Tensor:
        return self._values_

    def _nnz(self) -> int:
        return self._values_.shape[0]

    def sparse_dim(self) -> int:
        """The number of axes with places."""
        return self._indices_.shape[0]

    def dense_dim(self) -> int:
        """The number of axes of a slice."""
        return self._values_.ndim - 1

    # as another tensor ------------------------------------------------------------------------

    def to_dense(self) -> Tensor:
        """The same with all its zeros."""
        zeros = full(self.spec.shape, 0, dtype=self.dtype, device=self.device)
        places = tuple(unbind(self._indices_))
        return indexing.index_put(zeros, places, self._values_, True)

    def coalesce(self) -> SparseTensor:
        """The same with every place named once, in order, and the slices of one place summed."""
        if self._coalesced:
            return self
        count = self._nnz()
        sizes = self.spec.shape[: self.sparse_dim()]
        steps = contiguous_strides(sizes)
        flat = sum(row * step for row, step in zip(unbind(self._indices_), steps, strict=True))
        if not count or not self.sparse_dim():
            return sparse_tensor(self._indices_, self._values_, self.spec.shape, True)
        ordered, order = sorting.sort(flat, 0, False, True)
        first = cat([ordered[:1] == ordered[:1], ordered[1:] != ordered[:-1]])
        groups = cumsum(first.long(), 0) - 1
        places = indexing.masked_select(ordered, first)
        zeros = full(
            (places.shape[0], *self._values_.shape[1:]), 0, dtype=self.dtype, device=self.device
        )
        rows = indexing.index_select(self._values_, order, 0)
        values = indexing.index_add(zeros, groups, rows, 0)
        axes = [
            remainder(floor_divide(places, step), size).unsqueeze(0)
            for step, size in zip(steps, sizes, strict=True)
        ]
        return sparse_tensor(cat(axes), values, self.spec.shape, True)

    def detach(self) -> Tensor:
        """Itself: it is in no graph."""
        return self

    def alias(self) -> Any:
        """The same indices and values in another tensor."""
        return sparse_tensor(self._indices_, self._values_, self.spec.shape, self._coalesced)

    # operators --------------------------------------------------------------------------------

    def interpret(
        self, operator: Operator, arguments: tuple[Any, ...], params: tuple[Any, ...]
    ) -> Any:
        """Call an operator, one of whose tensors this is."""
        rule = _RULES.get(operator.name)
        out = None
        if operator.name in _LINEAR:
            made = dispatch(operator, (self._values_,), params)
            places = dispatch(operator, (self._indices_,), params) if _moves(operator) else None
            places = self._indices_ if places is None else places
            out = sparse_tensor(places, made, self.spec.shape, self._coalesced)
        elif rule is not None:
            out = rule(*arguments)
        if out is None:
            raise _unsupported(operator.name)
        return out

    def native(self) -> Any:
        """There is no array of all elements."""
        raise _unsupported("native")

    def settle(self) -> Storage:
        """There is no storage of all elements."""
        raise _unsupported("storage")

    def __deepcopy__(self, memo: dict[int, Any]) -> SparseTensor:
        copied = clone(self)
        memo[id(self)] = copied
        return copied

    def __reduce__(self) -> tuple[Any, ...]:
        return sparse_tensor, (self._indices_, self._values_, self.spec.shape, self._coalesced)

    def __repr__(self) -> str:
        return (
            f"tensor(indices={_inner(self._indices_)},\n       values={_inner(self._values_)},\n"
            f"       size={self.spec.shape}, nnz={self._nnz()}, layout=sparse_coo)"
        )


def sparse_tensor(
    indices: Tensor, values: Tensor, shape: tuple[int, ...], coalesced: bool
) -> SparseTensor:
    """The sparse tensor of these parts, which are not checked."""
    made = object.__new__(SparseTensor)
    made.spec = Spec(shape, values.spec.dtype, values.spec.device)  # known to no plan
    made.array = made.memory = made.place = made.node = made.origin = None
    made._indices_ = indices
    made._values_ = values
    made._coalesced = coalesced
    return made


def sparse_coo_tensor(
    indices: Any,
    values: Any,
    size: Sequence[int] | None = None,
    *,
    dtype: DType | None = None,
    device: DeviceLike = None,
    is_coalesced: bool = False,
) -> SparseTensor:
    """A sparse tensor from places (S, nnz) and what stands there (nnz, *); of the smallest size
    that holds them, if none is given.
    """
    name = "sparse_coo_tensor"
    places = as_tensor(indices, dtype=int64, device=device)
    slices = as_tensor(values, dtype=dtype, device=device)
    if places.ndim != 2 or not slices.ndim or places.shape[1] != slices.shape[0]:
        raise ShapeError(
            *(name, "indices"),
            expected=f"(axes, {slices.shape[0] if slices.ndim else '?'}), a column for each value",
            got=tuple(places.shape),
        )
    least = [int(row.amax().item()) + 1 if places.shape[1] else 0 for row in unbind(places)]
    inner = tuple(slices.shape[1:])
    shape = (*least, *inner) if size is None else shapes.as_ints(size, name)
    if len(shape) != len(least) + len(inner) or shape[len(least) :] != inner:
        raise ShapeError(
            name, "size", expected=f"{len(least)} axes and then {inner}", got=tuple(shape)
        )
    low = places.numel() and int(places.amin().item()) < 0
    if low or any(want > have for want, have in zip(least, shape)):
        raise ShapeError(name, "size", expected=f"at least {(*least, *inner)}", got=tuple(shape))
    return sparse_tensor(places, slices, tuple(shape), is_coalesced)


# what operators do --------------------------------------------------------------------------------


def _add(x: Any, y: Any) -> Any:
    if not isinstance(x, SparseTensor):
        x, y = y, x
    if isinstance(y, SparseTensor):
        return _joined(x, y)
    if not hasattr(y, "spec") or y.spec.shape != x.spec.shape:
        return None
    return indexing.index_put(y, tuple(unbind(x._indices_)), _cast(x, y), True)


def _add_in_place(x: Any, y: Any) -> Any:
    if not isinstance(x, SparseTensor):
        if y.spec.shape != x.spec.shape:
            return None
        return indexing.index_put_(x, tuple(unbind(y._indices_)), _cast(y, x), True)
    if not isinstance(y, SparseTensor):
        return None
    sum_ = _joined(x, y)
    x._indices_, x._values_, x._coalesced = sum_._indices_, sum_._values_, False
    return x


def _cast(sparse: SparseTensor, dense: Tensor) -> Tensor:
    return sparse._values_.to(dense.dtype)


def _joined(x: SparseTensor, y: SparseTensor) -> SparseTensor:
    if x.spec.shape != y.spec.shape or x.sparse_dim() != y.sparse_dim():
        raise ShapeError(
            *("add", "other"),
            expected=f"{x.spec.shape} with {x.sparse_dim()} sparse axes",
            got=f"{y.spec.shape} with {y.sparse_dim()}",
        )
    indices = cat([x._indices_, y._indices_], 1)
    return sparse_tensor(indices, cat([x._values_, y._values_]), x.spec.shape, False)


def _scaled(operator: str) -> Callable[[Any, Any], Any]:
    def rule(x: Any, y: Any) -> Any:
        if operator == "mul" and not isinstance(x, SparseTensor):
            x, y = y, x
        number = not hasattr(y, "spec") or (not y.spec.shape and not isinstance(y, SparseTensor))
        if not isinstance(x, SparseTensor) or not number:
            return None
        values = x._values_ * y if operator == "mul" else x._values_ / y
        return sparse_tensor(x._indices_, values, x.spec.shape, x._coalesced)

    return rule


def _scaled_in_place(operator: str) -> Callable[[Any, Any], Any]:
    scaled = _scaled(operator)

    def rule(x: Any, y: Any) -> Any:
        out = scaled(x, y)
        if out is not None and isinstance(x, SparseTensor):
            x._values_ = out._values_
            return x
        return None

    return rule


def _emptied(x: Any) -> Any:
    x._indices_, x._values_, x._coalesced = x._indices_[:, :0], x._values_[:0], True
    return x


_RULES: dict[str, Callable[..., Any]] = {
    "add": _add,
    "add_": _add_in_place,
    "mul": _scaled("mul"),
    "mul_": _scaled_in_place("mul"),
    "div": _scaled("div"),
    "div_": _scaled_in_place("div"),
    "zero_": _emptied,
}


def _moves(operator: Operator) -> bool:
    return operator.name in ("clone", "to_device")


def _unsupported(operator: str) -> UnsupportedError:
    return UnsupportedError(
        operator,
        "self",
        expected="a dense tensor",
        got="a sparse one, which adds, scales and coalesces only",
        hint="call to_dense()",
    )


def _inner(x: Tensor) -> str:
    return repr(x).replace("\n", "\n       ")
