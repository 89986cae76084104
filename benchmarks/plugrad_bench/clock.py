"""How two calls are timed: in alternating rounds, so that a machine whose speed drifts does not
change their ratio.

pytest-benchmark times the rounds of one call and keeps its statistics; after each, a round of the
other is timed by the same loop. A clock that waits for its device is read before and after a round.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Any, final


@final
@dataclass(frozen=True, slots=True)
class Effort:
    """At most `rounds` rounds, each of as many calls as fill `seconds`; fewer where calls are so
    slow that they would take longer than `budget` seconds, but never fewer than five.
    """

    rounds: int
    seconds: float
    budget: float

    def rounds_of(self, seconds: float) -> int:
        """How many rounds, where both sides' together take so long."""
        return max(min(self.rounds, int(self.budget / seconds)), 5)


# Short rounds, and many: where other programs take the processor now and then, most stay whole.
FULL = Effort(rounds=41, seconds=0.005, budget=2.0)
QUICK = Effort(rounds=7, seconds=0.002, budget=0.2)


@final
@dataclass(frozen=True, slots=True)
class Call:
    """A function, what it is called on, and the clock of where it runs."""

    function: Callable[..., Any]
    operands: tuple[Any, ...] = ()
    clock: Callable[[], float] = perf_counter

    def once(self) -> tuple[float, Any]:
        """Seconds of one call, and its result."""
        start = self.clock()
        result = self.function(*self.operands)
        return self.clock() - start, result

    def round(self, calls: int) -> float:
        """Seconds that each of so many calls takes."""
        # The loop of pytest-benchmark's runner: what it costs, both sides pay.
        function_to_benchmark, args, kwargs = self.function, self.operands, dict[str, Any]()
        loops_range = range(calls)
        start = self.clock()
        for _ in loops_range:
            function_to_benchmark(*args, **kwargs)
        return (self.clock() - start) / calls

    def calls_in(self, seconds: float) -> tuple[int, float]:
        """How many calls fill so many seconds, and how many one takes; warms up on the way."""
        calls = 1
        while (each := self.round(calls)) * calls < seconds / 4:
            calls *= 2
        return max(round(seconds / each), 1), each


@final
@dataclass(frozen=True, slots=True)
class Times:
    """Seconds per call, round by round; of the reference none where there is nothing to compare."""

    mine: list[float]
    reference: list[float]
    calls: int


def in_turn(
    benchmark: Any, call: Call, reference: Call | None, *, rounds: int, calls: int, others: int = 1
) -> Times:
    """Time rounds of `calls` calls, each followed by a round of `others` calls of the reference."""
    times: list[float] = []

    def their_round(*operands: Any) -> None:
        if reference is not None:
            times.append(reference.round(others))

    benchmark.pedantic(
        call.function, call.operands, teardown=their_round, rounds=rounds, iterations=calls
    )
    # pytest-benchmark calls once more for the result, and tears that down, too.
    return Times(list(benchmark.stats.stats.data), times[:rounds], calls)


def compare(benchmark: Any, call: Call, reference: Call | None, effort: Effort) -> Times:
    """Time a call in turn with the reference, with as many rounds and calls as the effort says."""
    calls, seconds = call.calls_in(effort.seconds)
    others, their_seconds = reference.calls_in(effort.seconds) if reference else (1, 0.0)
    rounds = effort.rounds_of(calls * seconds + others * their_seconds)
    return in_turn(benchmark, call, reference, rounds=rounds, calls=calls, others=others)
