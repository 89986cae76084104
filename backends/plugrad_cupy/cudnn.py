"""Convolutions by cuDNN, through NVIDIA's `nvidia-cudnn-frontend`, where both are installed.

A graph of one operation is built for each geometry, planned once, and kept. Whatever cuDNN declines
at any step is declined for good, and computed without it.
"""

from __future__ import annotations

import importlib
import logging
import threading
from collections.abc import Callable
from typing import Any, final

import cupy

from plugrad import dtypes
from plugrad_cupy.arrays import NATIVE, index_of, new
from plugrad_cupy.devices import enter
from plugrad_cupy.strided import contiguous, steps

_NAMES = {
    NATIVE[dtypes.float16]: "HALF",
    NATIVE[dtypes.bfloat16]: "BFLOAT16",
    NATIVE[dtypes.float32]: "FLOAT",
}
_MOST_PLANS = 1 << 10
_log = logging.getLogger("plugrad.cudnn")


@final
class _Library:
    """The library, if it is there, and a handle for each device."""

    def __init__(self) -> None:
        self.found: Any = None
        self.looked = False
        self.handles: dict[int, tuple[Any, int]] = {}
        self.plans: dict[Any, Any] = {}
        self.lock = threading.RLock()

    def look(self) -> Any:
        """cuDNN's frontend, or `None`; the answer is kept."""
        if not self.looked:
            with self.lock:
                if not self.looked:
                    self.found = self._load()
                    self.looked = True
        return self.found

    def _load(self) -> Any:
        try:
            found = importlib.import_module("cudnn")
            found.backend_version()
        except Exception as error:  # not installed, or without the library that it needs
            _log.info("convolutions are computed without cuDNN: %s", error)
            return None
        return found

    def handle(self, index: int) -> Any:
        """The device's handle, on the current stream."""
        stream = cupy.cuda.get_current_stream().ptr
        handle, known = self.handles.get(index, (None, -1))
        if handle is None:
            handle = self.found.create_handle()
        if known != stream:  # setting it costs as much as two launches
            self.found.set_stream(handle=handle, stream=stream)
            self.handles[index] = handle, stream
        return handle


_library = _Library()


def takes(x: Any) -> bool:
    """Whether cuDNN is there and multiplies such numbers."""
    return x.dtype in _NAMES and x.size > 0 and _library.look() is not None


def forward(out: Any, x: Any, weight: Any, windows: Any) -> bool:
    """out = x convolved with weight; False if cuDNN declines."""

    def build(graph: Any, image: Any, filters: Any, **geometry: Any) -> Any:
        return graph.conv_fprop(image=image, weight=filters, **geometry)

    return _run("forward", build, out, x, weight, windows)


def input_gradient(out: Any, y: Any, weight: Any, windows: Any) -> bool:
    """out = the cotangent of the input; False if cuDNN declines."""

    def build(graph: Any, loss: Any, filters: Any, **geometry: Any) -> Any:
        return graph.conv_dgrad(loss=loss, filter=filters, **geometry)

    return _run("input", build, out, y, weight, windows)


def weight_gradient(out: Any, y: Any, x: Any, windows: Any) -> bool:
    """out = the cotangent of the weight; False if cuDNN declines."""

    def build(graph: Any, loss: Any, image: Any, **geometry: Any) -> Any:
        return graph.conv_wgrad(image=image, loss=loss, **geometry)

    return _run("weight", build, out, y, x, windows)


def _run(
    name: str, build: Callable[..., Any], out: Any, first: Any, second: Any, windows: Any
) -> bool:
    _, stride, padding, dilation = windows
    arrays = [_with_two_axes(contiguous(each)) for each in (first, second)]
    out = _with_two_axes(out)
    index = index_of(out)
    enter(index)
    spare = 1 if len(stride) == 1 else 0
    geometry = {
        "padding": [*(0,) * spare, *padding],
        "stride": [*(1,) * spare, *stride],
        "dilation": [*(1,) * spare, *dilation],
    }
    shapes = [(each.shape, steps(each)) for each in (*arrays, out)]
    key = (index, name, out.dtype, *shapes, stride, padding, dilation)
    with _library.lock:
        plans = _library.plans
        if key not in plans:
            if len(plans) >= _MOST_PLANS:
                plans.clear()
            plans[key] = _plan(build, index, out.dtype, shapes, geometry)
        plan = plans[key]
        if plan is None:
            return False
        graph, ends, size = plan
        workspace = new((max(size, 1),), NATIVE[dtypes.uint8], out)
        pointers = [each.data.ptr for each in (*arrays, out)]
        tensors = dict(zip(ends, pointers, strict=True))
        graph.execute(tensors, workspace.data.ptr, handle=_library.handle(index))
    return True


def _plan(
    build: Callable[..., Any], index: int, dtype: Any, shapes: Any, geometry: dict[str, Any]
) -> Any:
    """The graph, its ends and the bytes of scratch memory it needs; `None` if cuDNN declines."""
    cudnn = _library.found
    kind = getattr(cudnn.data_type, _NAMES[dtype])
    single = cudnn.data_type.FLOAT
    try:
        graph = cudnn.pygraph(
            handle=_library.handle(index),
            io_data_type=kind,
            intermediate_data_type=single,
            compute_data_type=single,
        )
        *operands, (shape, strides) = shapes
        tensors = [
            graph.tensor(dim=list(dim), stride=list(stride), data_type=kind)
            for dim, stride in operands
        ]
        result = build(graph, *tensors, **geometry)
        result.set_output(True).set_data_type(kind).set_dim(list(shape)).set_stride(list(strides))
        graph.validate()
        graph.build_operation_graph()
        graph.create_execution_plans([cudnn.heur_mode.A, cudnn.heur_mode.FALLBACK])
        graph.check_support()
        graph.build_plans()
        return graph, (*tensors, result), graph.get_workspace_size()
    except Exception as error:  # its own exceptions differ from version to version
        _log.info("cuDNN declines %s: %s", shapes, error)
        return None


def _with_two_axes(x: Any) -> Any:
    """(N, C, size) as (N, C, 1, size): cuDNN's convolutions have at least two spatial axes."""
    return x if x.ndim != 3 else x.reshape(*x.shape[:2], 1, x.shape[2])
