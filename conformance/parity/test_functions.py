"""Every operator of PyTorch's own table, under all its names; and what that table does not hold."""

from __future__ import annotations

from functools import partial

import pytest
import torch

import plugrad

from . import programs, special
from .calls import Manner, compare_call
from .faces import faces
from .judging import Judge
from .samples import Operator, operators
from .sides import MISSING, find


@pytest.mark.parametrize("operator", operators(), ids=str)
def test_an_operator_does_what_pytorchs_does(operator: Operator, judge: Judge) -> None:
    for face in faces(operator):
        compare = partial(compare_call, face.theirs, face.ours, manner=face.manner)
        prefix = "out-" if face.out else ""
        judge.hear(face.name, [(prefix + call.name, partial(compare, call)) for call in face.calls])
    judge.rule()


@pytest.mark.parametrize("name", programs.TABLE)
def test_a_program_gives_what_it_gives_with_pytorch(name: str, judge: Judge) -> None:
    assert find(torch, name) is not MISSING
    cases = []
    for call in programs.calls(name):
        sides = programs.runner(torch, call), programs.runner(plugrad, call)
        manner = Manner(values=not programs.draws(name, call.name))
        cases.append((call.name, partial(compare_call, *sides, call, manner)))
    judge.hear(name, cases)
    judge.rule()


@pytest.mark.parametrize("row", special.rows(), ids=str)
def test_special_values_are_treated_as_pytorch_treats_them(row: special.Row, judge: Judge) -> None:
    compare = partial(compare_call, find(torch, row.name), find(plugrad, row.name))
    judge.hear(row.name, [(call.name, partial(compare, call, Manner())) for call in row.calls()])
    judge.rule()
