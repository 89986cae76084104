"""How a kernel is compiled: `@compiled` on a function of arrays whose outermost loop is a `prange`.

    @kernel
    def double(x):
        if x.dtype.char not in FLOATS or not x.flags.c_contiguous:
            return None  # NumPy's kernel answers
        out = np.empty_like(x)
        _double(x.size, x.reshape(-1), out.reshape(-1))
        return out


    @compiled
    def _double(x, out):
        for i in prange(x.size):
            out[i] = x[i] + x[i]

One source gives two programs, each made when first wanted: a serial one, and one that runs the
`prange` on all threads, taken from a certain amount of work on, here `x.size`. Machine code is kept
in the user's cache folder, so that the next process loads what this one compiled.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, final

import numba
from numba.core import sigutils
from numba.core.ccallback import CFunc

from plugrad_numba import threads
from plugrad_numba.cache import DiskCache

# Multiplications may be fused with additions. NaN, infinities and signed zeros keep their meaning.
FUSING = frozenset({"contract"})
# The same, and sums may be taken in any order: for loops that accumulate, which are otherwise not
# vectorised.
REORDERING = FUSING | {"reassoc", "nsz"}

# Of what Numba's parallel mode does, only the loops that say `prange`.
_LOOPS_ALONE = dict.fromkeys(
    ("comprehension", "fusion", "inplace_binop", "numpy", "reduction", "setitem", "stencil"), False
) | {"prange": True}


def compiled(
    function: Callable[..., Any] | None = None, *, fastmath: frozenset[str] = FUSING
) -> Any:
    """Make a `Compiled` of a function of arrays and numbers that writes its results into arrays."""
    if function is None:
        return lambda function: Compiled(function, fastmath)
    return Compiled(function, fastmath)


def address_of(function: Callable[..., Any], name: str, signature: Any) -> int:
    """Compile a function for C, under the name that it has in the cache; returns its address."""
    options = {"error_model": "numpy", "nogil": True, "fastmath": set(FUSING)}
    made: Any = CFunc(function, sigutils.normalize_signature(signature), {}, options)
    made._cache = DiskCache(name, function)
    made.compile()
    _kept.append(made)
    return made.address


_kept: list[Any] = []


def inlined(
    function: Callable[..., Any] | None = None, *, fastmath: frozenset[str] = FUSING
) -> Any:
    """A function for use within kernels: compiled into each of them, not on its own."""
    if function is None:
        return lambda function: inlined(function, fastmath=fastmath)
    options = {"error_model": "numpy", "fastmath": set(fastmath)}
    # LLVM would leave a long function as a call, around which no loop is vectorised.
    return numba.njit(forceinline=True, **options)(function)


@final
class Compiled:
    """A kernel's loops: called with the amount of work, in steps of about a nanosecond, and the
    arguments of the function, which returns nothing.
    """

    __slots__ = ("_fastmath", "_parallel", "function", "name", "serial")

    def __init__(
        self,
        function: Callable[..., Any],
        fastmath: frozenset[str] = FUSING,
        *,
        name: str | None = None,
    ) -> None:
        self.name = name or f"{function.__module__}.{function.__qualname__}"
        self.function = function
        self.serial = _dispatcher(function, self.name, fastmath, False)
        self._fastmath = fastmath
        self._parallel: Any = None

    def __call__(self, work: int, *arguments: Any) -> None:
        if work < threads.PAYING or not self.share_out(*arguments):
            self.serial(*arguments)

    def share_out(self, *arguments: Any) -> bool:
        """Run on several threads, if they are free; returns whether."""
        with threads.taken() as free:
            if free:
                self.parallel(*arguments)
        return free

    @property
    def parallel(self) -> Any:
        """The program for several threads: for whoever has taken them."""
        if self._parallel is None:
            name = f"{self.name}-parallel"
            self._parallel = _dispatcher(self.function, name, self._fastmath, _LOOPS_ALONE)
        return self._parallel


def _dispatcher(
    function: Callable[..., Any], name: str, fastmath: frozenset[str], parallel: Any
) -> Any:
    options = {"error_model": "numpy", "nogil": True, "fastmath": set(fastmath)}
    made: Any = numba.njit(parallel=parallel, **options)(function)
    made._cache = DiskCache(name, function)
    return made
