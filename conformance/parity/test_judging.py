"""The referee itself: it sees what differs, and lets pass only what an entry expects."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

import plugrad

from .agreement import Disagreement
from .calls import Call, Manner, compare_call
from .differences import Difference
from .judging import Judge


def _what(theirs: Callable[..., Any], ours: Callable[..., Any], *args: Any) -> list[str]:
    found = compare_call(theirs, ours, Call("call", args), Manner())
    return [each.what for each in found]


def _leaf() -> torch.Tensor:
    return torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], dtype=torch.float64, requires_grad=True)


@pytest.mark.parametrize(
    ("theirs", "ours", "what"),
    [
        (torch.sin, plugrad.cos, "values"),
        (torch.sum, lambda x: plugrad.sum(x).float(), "dtype"),
        (torch.sum, lambda x: plugrad.sum(x, 0), "shape"),
        (torch.t, lambda x: plugrad.t(x).clone(), "memory"),
        (lambda x: x.t().clone(), plugrad.t, "memory"),
        (lambda x: x[:, 1:], lambda x: x[:, :2], "values"),
        (lambda x: x.exp(), lambda x: x.exp().detach(), "gradient"),
        (lambda x: (x * x).sum(), lambda x: (x * x.detach()).sum(), "gradient"),
        (lambda x: x.tolist(), lambda x: x, "kind"),
        (lambda x: x.max(0), lambda x: (x.max(0)[0], x.max(0)[1]), "kind"),
        (lambda x: x.view(5), lambda x: x, "accepted"),
        (lambda x: x, lambda x: x.view(5), "refused"),
        (lambda x: x.detach().fill_(1).sum(), lambda x: plugrad.tensor(6.0).double(), "values"),
    ],
)
def test_every_sort_of_disagreement_is_seen(
    theirs: Callable[..., Any], ours: Callable[..., Any], what: str
) -> None:
    assert _what(theirs, ours, _leaf())[0] == what


def test_the_same_function_agrees() -> None:
    assert _what(torch.tanh, plugrad.tanh, _leaf()) == []


def test_strides_and_shared_operands_are_carried_over() -> None:
    x = torch.arange(12.0).reshape(3, 4)[:, ::2]
    assert _what(lambda x: x.stride(), lambda x: x.stride(), x) == []
    assert _what(lambda x, y: x is y, lambda x, y: x is y, x, x) == []


def test_only_what_an_entry_expects_is_let_pass() -> None:
    entry = Difference("notyet", ("sin*",), "values", "why", calls="sample*", says="got 2")
    wrong = Disagreement("values", "expected 1, got 2")
    assert entry.expects("sin", "sample3", wrong) == ["sin*"]
    assert entry.expects("cos", "sample3", wrong) == []
    assert entry.expects("sin", "error3", wrong) == []
    assert entry.expects("sin", "sample3", Disagreement("values", "expected 1, got 3")) == []
    assert entry.expects("sin", "sample3", Disagreement("dtype", "expected 1, got 2")) == []


def test_a_judge_counts_and_fails() -> None:
    properties: list[tuple[str, object]] = []
    judge = Judge(properties)
    wrong = Disagreement("values", "expected 1, got 2")
    judge.hear("sin", [("first", list), ("second", lambda: [wrong])])
    judge.hear("nothing.of.the.sort", [("first", lambda: [wrong])])
    with pytest.raises(pytest.fail.Exception, match=r"sin \| second \| values: expected 1, got 2"):
        judge.rule()
    assert properties == [("parity", {"tallies": {"sin": (2, 1)}, "met": []})]
