"""What the guard says: which operator, on what, and whether the NaN was there before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final


@final
@dataclass(frozen=True, slots=True)
class Operand:
    """An input, and whether there was a NaN, or an infinity, in it already."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    held_nan: bool
    held_infinity: bool = False

    def __str__(self) -> str:
        state = "held NaN already" if self.held_nan else "no NaN"
        state += ", but infinities" if self.held_infinity and not self.held_nan else ""
        return f"{self.name}: {self.dtype}{list(self.shape)}, {state}"


@final
@dataclass(frozen=True, slots=True)
class Finding:
    """A result with NaN. `count` of `size` elements are; `inside` are the operators whose bodies
    called this one, the outermost first; `backward` is the node whose gradient was computed;
    `earlier` says whether some operator had made NaN before.
    """

    operator: str
    backend: str
    operands: tuple[Operand, ...]
    shape: tuple[int, ...]
    count: int
    size: int
    inside: tuple[str, ...] = ()
    backward: str = ""
    earlier: bool = False

    @property
    def made(self) -> bool:
        """Whether the operator made the NaN out of inputs that held none."""
        return not any(operand.held_nan for operand in self.operands)

    def __str__(self) -> str:
        verb = "made" if self.made else "passed on"
        lines = [
            f"{self.operator} on {self.backend} {verb} NaN: {self.count} of {self.size} elements "
            f"of its result {list(self.shape)}"
        ]
        lines += [f"  {operand}" for operand in self.operands]
        if self.inside:
            lines.append(f"  called by the body of {', of '.join(reversed(self.inside))}")
        if self.backward:
            lines.append(f"  while computing the gradient of {self.backward}")
        if not (self.made or self.earlier):
            lines.append("  no operator under the guard made it: it came with the data")
        return "\n".join(lines)


class NanError(FloatingPointError):
    """An operator's result holds NaN."""

    def __init__(self, finding: Finding) -> None:
        self.finding = finding
        super().__init__(str(finding))


class NanWarning(RuntimeWarning):
    """The same where the program is to go on."""
