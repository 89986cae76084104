"""Detection: every sabotaged backend is caught by a question of the kit, and a sound one by none.
The rates are printed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from saboteurs import circumstances, memory, mutants, numbers, shapes, users
from saboteurs.distortions import CONDITIONS, wrong_when
from saboteurs.sabotage import DEVICE, asked_of, first_to_catch, sabotaged, sound
from saboteurs.saboteur import TABLE, Saboteur

from plugrad import ops

TABLES = (shapes, memory, numbers, users, circumstances)

# Of the mechanical saboteurs every so manieth: there are thousands, most of them caught at once.
_EVERY_MUTANT = 61
_EVERY_DISTORTION = 151
# Of the questions to sound kernels: each kernel meets dozens even so.
_EVERY_QUESTION = 5
# Changes that change nothing, such as a block of another length, survive.
_LEAST_RATE = 0.7


@pytest.fixture
def say(record_property: Callable[[str, object], None]) -> Callable[..., None]:
    """Has lines shown at the end of the run."""

    def speak(*lines: str) -> None:
        record_property("detection", "\n".join(lines))

    return speak


def catcher(saboteur: Saboteur) -> str | None:
    """What the first question that a saboteur answers wrongly says."""
    with sabotaged(saboteur.kernels()):
        caught = first_to_catch(saboteur.asks, saboteur.level)
    return None if caught is None else f"{caught[0]}: {caught[1]}"


def test_every_saboteur_is_caught(say: Any) -> None:
    found = {saboteur: catcher(saboteur) for saboteur in TABLE}
    total = Counter(saboteur.kind for saboteur in TABLE)
    caught = Counter(saboteur.kind for saboteur, complaint in found.items() if complaint)
    lines = [f"{caught[kind]:3} of {count:3}  {kind}" for kind, count in total.items()]
    say(*lines, f"{caught.total():3} of {total.total():3}  sabotaged backends caught")
    assert total.total() >= 60
    assert [str(saboteur) for saboteur, complaint in found.items() if not complaint] == []


def test_sound_kernels_in_the_same_place_are_not_caught() -> None:
    hooks = sorted({saboteur.hook for saboteur in TABLE if saboteur.asks})
    asked = [question for hook in (*hooks, None) for question in asked_of(hook, 1)]
    with sabotaged({hook: sound(hook) for hook in hooks}):
        answers = {str(each): each.ask(DEVICE) for each in asked[::_EVERY_QUESTION]}
    assert {name: complaint for name, complaint in answers.items() if complaint} == {}


def test_kernels_with_one_small_change_are_caught(say: Any) -> None:
    every = [each for module in mutants.modules() for each in mutants.mutants_of(module)]
    sample = [each for each in every[::_EVERY_MUTANT] if len(each.operators) <= 8]
    alive: list[str] = []
    for mutant in sample:
        try:
            kernels = mutant.kernels()
        except Exception:  # the changed module cannot even be imported
            continue
        with sabotaged(kernels):
            if first_to_catch(mutant.operators, 1) is None:
                alive.append(str(mutant))
    caught = len(sample) - len(alive)
    say(f"{caught} of {len(sample)} changed kernels caught, of {len(every)}; not caught:", *alive)
    assert caught >= _LEAST_RATE * len(sample)


def test_kernels_that_are_wrong_under_a_condition_are_caught(say: Any) -> None:
    operators = [name for name, each in ops.operators.items() if each.geometry is None]
    every = [(name, condition) for name in operators for condition in CONDITIONS]
    came_to_pass, alive = 0, []
    for name, condition in every[::_EVERY_DISTORTION]:
        distorted = wrong_when(name, CONDITIONS[condition])
        with sabotaged(distorted.kernels()):
            caught = first_to_catch([name], 1)
        came_to_pass += distorted.struck > 0
        if caught is None and distorted.struck:
            alive.append(f"{name} {condition}")
    say(f"{came_to_pass - len(alive)} of {came_to_pass} kernels wrong under a condition caught")
    assert came_to_pass > 30
    assert alive == []
