"""Copies in a memory format, and tensors laid out like others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from plugrad import formats, shapes
from plugrad.formats import MemoryFormat, contiguous_format, preserve_format
from plugrad.ops import creation, views
from plugrad.spec import Shape

if TYPE_CHECKING:
    from plugrad.tensor import Tensor


def clone(input: Tensor, *, memory_format: MemoryFormat | None = preserve_format) -> Tensor:
    """A copy with memory of its own, in the operand's order of axes or in the one that
    `memory_format` names.
    """
    if _in_c_order(input, memory_format):
        return creation.clone(input)
    return _in_strides(input, _strides_after(input, memory_format, "clone"))


def contiguous(input: Tensor, memory_format: MemoryFormat = contiguous_format) -> Tensor:
    """Itself if its elements lie in C order, or in the order that `memory_format` names, else a
    copy in which they do.
    """
    if is_contiguous(input, memory_format):
        return input
    if memory_format is contiguous_format:
        return creation.clone(input)
    shape = input.spec.shape
    return _in_strides(input, formats.target_strides(memory_format, shape, None, "contiguous"))


def is_contiguous(input: Tensor, memory_format: MemoryFormat = contiguous_format) -> bool:
    """Whether the elements lie in C order, or in the order that `memory_format` names, without
    gaps.
    """
    formats.checked(memory_format, "is_contiguous")
    return formats.has_format(memory_format, input.spec.shape, input.layout[0])


def converted(
    x: Any, source: Tensor, memory_format: MemoryFormat | None, copy: bool, operator: str
) -> Any:
    """What `to` returns: `source` in another dtype or on another device as `x`, or `source` itself,
    in the format asked for.

    A tensor whose axes are in the format's order already is not copied to close gaps.
    """
    if x is source and not copy:
        if memory_format is None or memory_format is preserve_format:
            return x
        wanted = formats.checked(memory_format, operator)
        shape = x.spec.shape
        if formats.nearest(shape, source.layout[0]) is wanted:
            return x
        return _in_strides(x, formats.target_strides(wanted, shape, None, operator))
    if _in_c_order(source, memory_format):
        return creation.clone(x) if x is source else x
    return _in_strides(x, _strides_after(source, memory_format, operator))


def laid_out_like(
    made: Any, model: Tensor, memory_format: MemoryFormat | None, operator: str
) -> Any:
    """A new tensor, which lies in C order, in the format asked for; `model` is the one whose order
    may be preserved.
    """
    if _in_c_order(model, memory_format):
        return made
    return _in_strides(made, _strides_after(model, memory_format, operator)).detach()


def laid_out(made: Any, memory_format: MemoryFormat | None, operator: str) -> Any:
    """A new tensor, which lies in C order, in the format asked for."""
    if memory_format is None or memory_format is contiguous_format:
        return made
    shape = made.spec.shape
    return _in_strides(made, formats.target_strides(memory_format, shape, None, operator)).detach()


def _in_c_order(model: Tensor, memory_format: MemoryFormat | None) -> bool:
    """Whether the format asked for is C order; quick for tensors that lie so themselves."""
    if memory_format is contiguous_format:
        return True
    if memory_format is not None and memory_format is not preserve_format:
        return False
    return model.place is None or shapes.is_contiguous(model.spec.shape, model.place[0])


def _strides_after(model: Tensor, memory_format: MemoryFormat | None, operator: str) -> Shape:
    wanted = preserve_format if memory_format is None else memory_format
    return formats.target_strides(wanted, model.spec.shape, model.layout[0], operator)


def _in_strides(x: Any, target: Shape) -> Any:
    """A copy with these strides, which leave no gaps."""
    order = formats.slowest_first(x.spec.shape, target)
    return views.permute(creation.clone(views.permute(x, order)), views.inverse_permutation(order))
