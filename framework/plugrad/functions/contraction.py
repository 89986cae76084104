"""Sums of products over named axes: einsum and tensordot. Each is brought down to products of two
operands, and those to `matmul`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

from plugrad import shapes
from plugrad.errors import ArgumentError, ShapeError
from plugrad.families import delivers
from plugrad.ops import views
from plugrad.ops.linalg import matmul
from plugrad.ops.reduction import sum as sum_over

if TYPE_CHECKING:
    from plugrad.tensor import Tensor

# An axis: a letter of the equation, or a negative number for one that the ellipsis stands for.
Label = str | int


class Operand(NamedTuple):
    """A tensor with a label for each axis, no label twice."""

    value: Any
    labels: tuple[Label, ...]


def einsum(equation: str | Tensor, *operands: Any) -> Tensor:
    """Sum of products of the operands' elements, over all axes that the result lacks.

    `"ij,jk->ik"` names the axes of each operand by letters; a letter twice in one operand takes the
    diagonal, `...` stands for axes that broadcast. Without `->` the result has the ellipsis' axes,
    then the letters that occur once, in alphabetical order. In the other form each operand is
    followed by a list of numbers below 52 and `...`, and the result's list may end the call.

    Of three and more operands those two are multiplied first that leave the least to keep.
    """
    if isinstance(equation, str):
        given = (
            operands[0] if len(operands) == 1 and isinstance(operands[0], Sequence) else operands
        )
        text = equation
    else:
        text, given = _from_lists((equation, *operands))
    inputs, output = _parsed(text, tuple(given))
    sizes = _sizes(inputs)
    work = [_shrunk(each, sizes) for each in inputs]
    while len(work) > 1:
        first, second = _next_pair(work, output, sizes)
        right, left = work.pop(second), work.pop(first)
        kept = {*output, *(label for each in work for label in each.labels)}
        work.insert(first, _product(left, right, kept))
    ((value, labels),) = work
    return _arranged(Operand(value, labels), output)


@delivers
def tensordot(
    a: Tensor,
    b: Tensor,
    dims: int | Sequence[int] | Sequence[Sequence[int]] = 2,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """Sum of products over pairs of axes: the last `dims` of `a` with the first of `b`, or those of
    the two lists. What remains of `a` stands before what remains of `b`. Of a pair of axes
    one may have a single element, which multiplies all of the other.
    """
    name = "tensordot"
    if isinstance(dims, int):
        if not 0 <= dims <= min(a.ndim, b.ndim):
            raise ArgumentError(name, "dims", expected=f"from 0 to {min(a.ndim, b.ndim)}", got=dims)
        ours, theirs = tuple(range(a.ndim - dims, a.ndim)), tuple(range(dims))
    else:
        pair = [tuple(each) if isinstance(each, Sequence) else (each,) for each in dims]
        if len(pair) != 2 or len(pair[0]) != len(pair[1]):
            raise ArgumentError(name, "dims", expected="two lists of as many axes", got=dims)
        ours = tuple([shapes.normalize_dim(dim, a.ndim, name) for dim in pair[0]])
        theirs = tuple([shapes.normalize_dim(dim, b.ndim, name) for dim in pair[1]])
    left: list[Label] = [*range(-1, -a.ndim - 1, -1)]
    right: list[Label] = [*range(-a.ndim - 1, -a.ndim - b.ndim - 1, -1)]
    for mine, other in zip(ours, theirs, strict=True):
        right[other] = left[mine]
        if a.shape[mine] == b.shape[other]:
            continue
        if b.shape[other] == 1:
            a = sum_over(a, mine, True, dtype=a.dtype)
        elif a.shape[mine] == 1:
            b = sum_over(b, other, True, dtype=b.dtype)
        else:
            raise ShapeError(
                name,
                "b",
                expected=f"{a.shape[mine]} elements along axis {other}, as a along {mine}",
                got=b.shape,
            )
    output = tuple([each for each in (*left, *right) if not (each in left and each in right)])
    return _arranged(
        _product(Operand(a, tuple(left)), Operand(b, tuple(right)), set(output)), output
    )


# reading ------------------------------------------------------------------------------------------


def _from_lists(arguments: tuple[Any, ...]) -> tuple[str, list[Any]]:
    """The other form of the call, as an equation."""
    tensors, terms = list(arguments[0::2]), [_term(each) for each in arguments[1::2]]
    if len(arguments) % 2:
        result = _term(tensors.pop())
        return f"{','.join(terms)}->{result}", tensors
    return ",".join(terms), tensors


def _term(numbers: Any) -> str:
    if not isinstance(numbers, Sequence):
        raise ArgumentError(
            "einsum",
            "operands",
            expected="a list of axes after each tensor",
            got=type(numbers).__name__,
        )
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    found = ""
    for number in numbers:
        if number is Ellipsis:
            found += "..."
        elif isinstance(number, int) and 0 <= number < len(letters):
            found += letters[number]
        else:
            raise ArgumentError(
                "einsum", "operands", expected="numbers from 0 to 51, or ...", got=number
            )
    return found


def _parsed(equation: str, operands: tuple[Any, ...]) -> tuple[list[Operand], tuple[Label, ...]]:
    """The operands with their labels, and the result's labels."""
    terms, output = _read(equation, tuple([each.spec.shape for each in operands]))
    pairs = zip(operands, terms, strict=True)
    return [_without_repeats(Operand(value, labels)) for value, labels in pairs], output


@lru_cache(256)
def _read(
    equation: str, shapes: tuple[tuple[int, ...], ...]
) -> tuple[tuple[tuple[Label, ...], ...], tuple[Label, ...]]:
    """The labels of operands of these shapes, and of the result."""
    text = equation.replace(" ", "")
    left, arrow, right = text.partition("->")
    terms = left.split(",")
    if len(terms) != len(shapes) or not shapes:
        raise ArgumentError(
            "einsum",
            "equation",
            expected=f"one term for each of {len(shapes)} operands",
            got=repr(equation),
        )
    inputs = tuple([_labelled(term, shape) for term, shape in zip(terms, shapes, strict=True)])
    every = [label for labels in inputs for label in labels]
    hidden: list[Label] = sorted({label for label in every if isinstance(label, int)})
    if not arrow:
        once = [label for label in every if isinstance(label, str) and every.count(label) == 1]
        return inputs, (*hidden, *sorted(once))
    output = _expanded(right, len(hidden) if "..." in right else 0, "the result")
    for label in output:
        if output.count(label) > 1 or label not in every:
            problem = "once" if label in every else "in some operand"
            raise ArgumentError(
                "einsum",
                "equation",
                expected=f"each letter of the result {problem}",
                got=repr(equation),
            )
    return inputs, output


def _labelled(term: str, shape: tuple[int, ...]) -> tuple[Label, ...]:
    named = len(term.replace("...", ""))
    if named != len(shape) and not ("..." in term and named <= len(shape)):
        raise ShapeError(
            "einsum",
            "operands",
            expected=f"{named} axes{' or more' if '...' in term else ''}, as {term!r} says",
            got=shape,
        )
    return _expanded(term, len(shape) - named, repr(term))


def _expanded(term: str, hidden: int, where: str) -> tuple[Label, ...]:
    """The labels of a term. The ellipsis' last axis is -1, so that they align at the right."""
    first, dots, last = term.partition("...")
    letters = first + last
    if any([not (each.isascii() and each.isalpha()) for each in letters]):
        raise ArgumentError(
            "einsum", "equation", expected=f"letters and at most one ... in {where}", got=repr(term)
        )
    return (*first, *(range(-hidden, 0) if dots else ()), *last)


def _without_repeats(operand: Operand) -> Operand:
    """Diagonals taken where a letter occurs twice."""
    value, labels = operand
    for label in dict.fromkeys(labels):
        while labels.count(label) > 1:
            first = labels.index(label)
            second = labels.index(label, first + 1)
            if value.spec.shape[first] != value.spec.shape[second]:
                raise ShapeError(
                    "einsum",
                    "operands",
                    expected=f"one size for {label!r}, which occurs twice",
                    got=value.spec.shape,
                )
            value = views.diagonal(value, 0, first, second)
            rest = [each for i, each in enumerate(labels) if i not in (first, second)]
            labels = (*rest, label)
    return Operand(value, labels)


def _sizes(operands: list[Operand]) -> dict[Label, int]:
    found: dict[Label, int] = {}
    for value, labels in operands:
        for label, size in zip(labels, value.spec.shape, strict=True):
            known = found.get(label, 1)
            if size not in (known, 1) and known != 1:
                name = repr(label) if isinstance(label, str) else "an axis of the ellipsis"
                raise ShapeError(
                    "einsum", "operands", expected=f"{known} or 1 elements along {name}", got=size
                )
            found[label] = known if size == 1 else size
    return found


# computing ----------------------------------------------------------------------------------------


def _shrunk(operand: Operand, sizes: dict[Label, int]) -> Operand:
    """Without the axes of one element that broadcast."""
    value, labels = operand
    stays = [size == sizes[label] for label, size in zip(labels, value.spec.shape, strict=True)]
    if all(stays):
        return operand
    shape = tuple([size for size, kept in zip(value.spec.shape, stays, strict=True) if kept])
    return Operand(
        views.reshape(value, shape),
        tuple([label for label, kept in zip(labels, stays, strict=True) if kept]),
    )


def _next_pair(
    work: list[Operand], output: tuple[Label, ...], sizes: dict[Label, int]
) -> tuple[int, int]:
    """The two whose product takes least more room than they do."""
    if len(work) == 2:
        return 0, 1

    def growth(pair: tuple[int, int]) -> int:
        labels = [{*work[i].labels} for i in pair]
        others = [{*each.labels} for i, each in enumerate(work) if i not in pair]
        kept = (labels[0] | labels[1]) & {*output}.union(*others)
        return _room(kept, sizes) - _room(labels[0], sizes) - _room(labels[1], sizes)

    pairs = [(i, j) for j in range(len(work)) for i in range(j)]
    return min(pairs, key=growth)


def _room(labels: set[Label], sizes: dict[Label, int]) -> int:
    return prod([sizes[label] for label in labels])


def _product(left: Operand, right: Operand, kept: set[Label]) -> Operand:
    """Both multiplied, and summed over the labels that nobody keeps."""
    x, y = _summed(left, kept | {*right.labels}), _summed(right, kept | {*left.labels})
    shared = [label for label in x.labels if label in y.labels]
    batch = [label for label in shared if label in kept]
    lost = [label for label in shared if label not in kept]
    rows = [label for label in x.labels if label not in y.labels]
    columns = [label for label in y.labels if label not in x.labels]
    sizes = dict(zip(x.labels, x.value.spec.shape, strict=True))
    sizes |= dict(zip(y.labels, y.value.spec.shape, strict=True))
    labels = (*batch, *rows, *columns)
    shape = tuple([sizes[label] for label in labels])
    if not lost:
        ones = (1,) * len(columns)
        first = _ordered(x, [*batch, *rows])
        second = _ordered(y, [*batch, *columns])
        wide = tuple([sizes[label] for label in batch])
        first = views.reshape(first, (*first.spec.shape, *ones))
        second = views.reshape(
            second, (*wide, *(1,) * len(rows), *[sizes[label] for label in columns])
        )
        return Operand(first * second, labels)
    if batch and not rows and not columns:
        both = _ordered(x, [*batch, *lost]) * _ordered(y, [*batch, *lost])
        return Operand(sum_over(both, tuple(range(len(batch), both.ndim))), labels)
    count = [prod([sizes[label] for label in group]) for group in (batch, rows, lost, columns)]
    first = views.reshape(_ordered(x, [*batch, *rows, *lost]), (count[0], count[1], count[2]))
    second = views.reshape(_ordered(y, [*batch, *lost, *columns]), (count[0], count[2], count[3]))
    if not batch:
        first, second = views.select(first, 0, 0), views.select(second, 0, 0)
    return Operand(views.reshape(matmul(first, second), shape), labels)


def _summed(operand: Operand, kept: set[Label]) -> Operand:
    value, labels = operand
    dims = tuple([i for i, label in enumerate(labels) if label not in kept])
    if not dims:
        return operand
    dtype = value.dtype
    rest = tuple([label for label in labels if label in kept])
    return Operand(sum_over(value, dims, dtype=dtype), rest)


def _ordered(operand: Operand, labels: Sequence[Label]) -> Any:
    order = tuple([operand.labels.index(label) for label in labels])
    if order == tuple(range(len(order))):
        return operand.value
    return views.permute(operand.value, order)


def _arranged(operand: Operand, output: tuple[Label, ...]) -> Any:
    """The axes of the result in order. A label that only broadcast has one element."""
    value, labels = _summed(operand, {*output})
    return _ordered(Operand(value, labels), output)
