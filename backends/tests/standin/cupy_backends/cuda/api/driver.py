"""`launchKernel`, which runs a kernel of the shim at once."""

from __future__ import annotations

import ctypes

from cupy.cuda.stream import get_current_stream, work
from shim.raw import functions

_MOST_THREADS = 1024
_MOST_BLOCKS = (2**31 - 1, 65535, 65535)


def launchKernel(
    f: int,
    grid_dim_x: int,
    grid_dim_y: int,
    grid_dim_z: int,
    block_dim_x: int,
    block_dim_y: int,
    block_dim_z: int,
    shared_mem_bytes: int,
    stream: int,
    kernel_params: int,
    extra: int,
) -> None:
    """Run a grid; refuses what a driver would."""
    work()
    if stream != get_current_stream().ptr:
        raise AssertionError("stand-in: a launch on another stream than the current one")
    grid = (grid_dim_x, grid_dim_y, grid_dim_z)
    block = (block_dim_x, block_dim_y, block_dim_z)
    fits = all(0 < n <= most for n, most in zip(grid, _MOST_BLOCKS, strict=True))
    if not fits or min(block) < 1 or block_dim_x * block_dim_y * block_dim_z > _MOST_THREADS:
        raise ValueError(f"CUDA_ERROR_INVALID_VALUE: invalid argument: {grid}, {block}")
    if shared_mem_bytes or extra:
        raise NotImplementedError("the stand-in has no dynamic shared memory")
    arguments = ctypes.c_void_p.from_address(kernel_params).value
    functions[f](arguments, (ctypes.c_uint * 6)(*grid, *block))
