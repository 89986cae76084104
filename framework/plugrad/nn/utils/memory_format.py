"""The weights of convolutions in a memory format."""

from __future__ import annotations

from typing import TypeVar

from plugrad.formats import MemoryFormat
from plugrad.nn.convolution import Conv2d, Conv3d, ConvTranspose2d, ConvTranspose3d
from plugrad.nn.module import Module

M = TypeVar("M", bound=Module)


def convert_conv2d_weight_memory_format(module: M, memory_format: MemoryFormat) -> M:
    """Lay out the weights of all two-dimensional convolutions below in a format; returns the
    module.
    """
    return _convert(module, (Conv2d, ConvTranspose2d), memory_format)


def convert_conv3d_weight_memory_format(module: M, memory_format: MemoryFormat) -> M:
    """Lay out the weights of all three-dimensional convolutions below in a format; returns the
    module.
    """
    return _convert(module, (Conv3d, ConvTranspose3d), memory_format)


def _convert(module: M, kinds: tuple[type[Module], ...], memory_format: MemoryFormat) -> M:
    for each in module.modules():
        if isinstance(each, kinds):
            weight = each.get_parameter("weight")
            weight.data = weight.detach().clone(memory_format=memory_format)
    return module
