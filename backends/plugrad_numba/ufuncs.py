"""NumPy ufuncs around compiled inner loops, made through NumPy's C interface, which is stable.

Numba's own `vectorize` compiles the loop around a function in every process anew.
"""

from __future__ import annotations

import ctypes
from importlib import import_module
from typing import Any

import numpy as np

_FROM_FUNCTIONS = 1  # the place of PyUFunc_FromFuncAndData in the table of the interface
_NO_IDENTITY = -1


def _interface() -> Any:
    capsule = import_module("numpy._core._multiarray_umath")._UFUNC_API
    unpack = ctypes.pythonapi.PyCapsule_GetPointer
    unpack.restype = ctypes.c_void_p
    unpack.argtypes = [ctypes.py_object, ctypes.c_char_p]
    return ctypes.cast(unpack(capsule, None), ctypes.POINTER(ctypes.c_void_p))


_from_functions = ctypes.PYFUNCTYPE(
    ctypes.py_object,
    *[ctypes.c_void_p] * 3,  # loops, what they are handed, type numbers
    *[ctypes.c_int] * 4,  # how many loops, operands, results; the identity
    *[ctypes.c_char_p] * 2,  # name, doc
    ctypes.c_int,
)(_interface()[_FROM_FUNCTIONS])

# NumPy keeps pointers to these for as long as the ufunc lives, which is to the end.
_kept: list[Any] = []


def make_ufunc(name: str, address: int, chars: str) -> np.ufunc:
    """A ufunc of one loop; `chars` are NumPy's letters for the dtypes of operands and result."""
    loops = (ctypes.c_void_p * 1)(address)
    nothing = (ctypes.c_void_p * 1)(None)
    numbers = (ctypes.c_char * len(chars))(*[bytes([np.dtype(char).num]) for char in chars])
    label = name.encode()
    _kept.append((loops, nothing, numbers, label))
    return _from_functions(
        *[ctypes.addressof(each) for each in (loops, nothing, numbers)],
        *(1, len(chars) - 1, 1, _NO_IDENTITY),
        *(label, b""),
        0,
    )
