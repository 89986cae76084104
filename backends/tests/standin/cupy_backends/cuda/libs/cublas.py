"""cuBLAS on addresses: column-major, with its checks, in NumPy."""

from __future__ import annotations

import ctypes
from typing import Any

import ml_dtypes
import numpy as np
from cupy.cuda import runtime
from cupy.cuda.stream import work

CUBLAS_OP_N, CUBLAS_OP_T, CUBLAS_OP_C = 0, 1, 2
CUBLAS_GEMM_DEFAULT = -1
CUBLAS_COMPUTE_16F, CUBLAS_COMPUTE_32F, CUBLAS_COMPUTE_64F = 64, 68, 70
CUBLAS_COMPUTE_32F_FAST_TF32 = 77

_DTYPES: dict[int, Any] = {
    runtime.CUDA_R_16F: np.float16,
    runtime.CUDA_R_16BF: ml_dtypes.bfloat16,
    runtime.CUDA_R_32F: np.float32,
    runtime.CUDA_R_64F: np.float64,
    runtime.CUDA_C_32F: np.complex64,
    runtime.CUDA_C_64F: np.complex128,
}
# In what a computation type sums, and which types of data it takes.
_SUMS: dict[int, tuple[dict[int, Any], str]] = {
    CUBLAS_COMPUTE_16F: ({runtime.CUDA_R_16F: np.float16}, "16F"),
    CUBLAS_COMPUTE_32F: (
        {
            runtime.CUDA_R_16F: np.float32,
            runtime.CUDA_R_16BF: np.float32,
            runtime.CUDA_R_32F: np.float32,
            runtime.CUDA_C_32F: np.complex64,
        },
        "32F",
    ),
    CUBLAS_COMPUTE_64F: (
        {runtime.CUDA_R_64F: np.float64, runtime.CUDA_C_64F: np.complex128},
        "64F",
    ),
}


class CUBLASError(RuntimeError):
    """A status other than success."""


def gemmStridedBatchedEx(
    handle: int,
    transa: int,
    transb: int,
    m: int,
    n: int,
    k: int,
    alpha: int,
    A: int,
    Atype: int,
    lda: int,
    strideA: int,
    B: int,
    Btype: int,
    ldb: int,
    strideB: int,
    beta: int,
    C: int,
    Ctype: int,
    ldc: int,
    strideC: int,
    batchCount: int,
    computeType: int,
    algo: int,
) -> None:
    """C = alpha op(A) op(B) + beta C for each of a batch of matrices."""
    work()
    if handle != 1000 + runtime.getDevice():
        raise CUBLASError("CUBLAS_STATUS_NOT_INITIALIZED: the handle of another device")
    sums, _ = _SUMS[computeType]
    wider = Ctype == runtime.CUDA_R_32F and Atype in (runtime.CUDA_R_16F, runtime.CUDA_R_16BF)
    if Atype != Btype or not (Atype == Ctype or wider) or Atype not in sums:
        raise CUBLASError(f"CUBLAS_STATUS_NOT_SUPPORTED: {Atype} {Btype} {Ctype} {computeType}")
    rows_a = m if transa == CUBLAS_OP_N else k
    rows_b = k if transb == CUBLAS_OP_N else n
    least = (max(1, rows_a), max(1, rows_b), max(1, m))
    if min(m, n, k, batchCount) < 0 or any(
        given < needed for given, needed in zip((lda, ldb, ldc), least, strict=True)
    ):
        raise CUBLASError(f"CUBLAS_STATUS_INVALID_VALUE: leading dimensions {(lda, ldb, ldc)}")
    dtype, wide = np.dtype(_DTYPES[Atype]), np.dtype(sums[Atype])
    one, zero = (_scalar(each, wide) for each in (alpha, beta))
    a = _matrices(A, dtype, (rows_a, k if transa == CUBLAS_OP_N else m), lda, strideA, batchCount)
    b = _matrices(B, dtype, (rows_b, n if transb == CUBLAS_OP_N else k), ldb, strideB, batchCount)
    c = _matrices(C, np.dtype(_DTYPES[Ctype]), (m, n), ldc, strideC, batchCount)
    if not c.size:
        return
    with np.errstate(all="ignore"):
        product = np.matmul(_operand(a, transa, wide), _operand(b, transb, wide), dtype=wide)
        out = one * product if zero == 0 else one * product + zero * c.astype(wide)
        c[...] = out.astype(c.dtype)


def _scalar(address: int, dtype: np.dtype[Any]) -> Any:
    return np.ndarray((), dtype, (ctypes.c_uint8 * dtype.itemsize).from_address(address))[()]


def _operand(x: np.ndarray[Any, Any], trans: int, wide: np.dtype[Any]) -> np.ndarray[Any, Any]:
    x = x.astype(wide)
    if trans == CUBLAS_OP_N:
        return x
    return np.swapaxes(x.conj() if trans == CUBLAS_OP_C else x, 1, 2)


def _matrices(
    address: int,
    dtype: np.dtype[Any],
    shape: tuple[int, int],
    leading: int,
    stride: int,
    count: int,
) -> np.ndarray[Any, Any]:
    """(count, rows, columns) over memory in column-major order."""
    rows, columns = shape
    if not (rows and columns and count):
        return np.zeros((count, rows, columns), dtype)
    size = dtype.itemsize
    extent = ((count - 1) * stride + (columns - 1) * leading + rows) * size
    raw = (ctypes.c_uint8 * extent).from_address(address)
    return np.ndarray((count, rows, columns), dtype, raw, 0, (stride * size, size, leading * size))
