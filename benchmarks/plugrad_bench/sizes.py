"""Sizes are numbers of elements; what a row needs is shaped from one, as square or as deep as it
will go.
"""

from __future__ import annotations

from plugrad_bench.errors import MisuseError

NAMED = {"small": 8, "medium": 4 * 1024, "large": 4 * 1024**2}
_UNITS = {"K": 1024, "M": 1024**2, "G": 1024**3}


def parse_size(text: str) -> int:
    """`8`, `4K`, `4M`, or one of the names."""
    number, unit = text.strip(), 1
    if number in NAMED:
        return NAMED[number]
    if number[-1:].upper() in _UNITS:
        number, unit = number[:-1], _UNITS[number[-1].upper()]
    if not number.isdecimal() or int(number) < 2:
        names = ", ".join(NAMED)
        raise MisuseError(
            f"--sizes: expected at least 2 elements, as in 8, 4K or 4M, or {names}; got {text!r}"
        )
    return int(number) * unit


def size_label(size: int) -> str:
    """`8`, `4K`, `4M`."""
    for letter, unit in reversed(_UNITS.items()):
        if size % unit == 0:
            return f"{size // unit}{letter}"
    return str(size)


def square(n: int) -> tuple[int, int]:
    """Rows and columns: 8 is 2 × 4, 4K is 64 × 64, 4M is 2048 × 2048."""
    rows = 2 ** ((n.bit_length() - 1) // 2)
    return rows, n // rows


def images(n: int) -> tuple[int, int, int, int]:
    """(N, C, H, W): 8 is 1×2×2×2, 4K is 1×16×16×16, 4M is 64×64×32×32."""
    third = (n.bit_length() - 1) // 3
    channels, side = 2 ** min(third, 6), 2 ** min(max(third, 1), 5)
    return max(n // (channels * side * side), 1), channels, side, side


def heads(n: int) -> tuple[int, int, int, int]:
    """(N, heads, T, D): 8 is 1×1×2×4, 4K is 1×1×64×64, 4M is 32×8×256×64."""
    bits = n.bit_length() - 1
    width = min(bits - bits // 2, 6)
    length = min(bits - width, 8)
    count = min(bits - width - length, 3)
    return max(n >> (width + length + count), 1), 2**count, 2**length, 2**width
