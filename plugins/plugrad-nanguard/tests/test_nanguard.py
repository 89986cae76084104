"""The guard: which operator it names, what it says of the inputs, and that it leaves nothing."""

from __future__ import annotations

import math
import warnings

import pytest

import plugrad as pg
from plugrad_nanguard import NanError, NanWarning, disable, enable, nan_guard


def caught(make: object) -> NanError:
    with nan_guard(), pytest.raises(NanError) as error:
        make()  # type: ignore[operator]
    return error.value


def test_the_operator_that_made_it_is_named_with_its_inputs() -> None:
    x = pg.tensor([[0.0, 1.0], [0.0, 2.0]])
    finding = caught(lambda: (x / pg.tensor([0.0, 1.0])).exp()).finding
    assert (finding.operator, finding.backend, finding.made) == ("div", "numpy", True)
    assert (finding.shape, finding.count, finding.size) == ((2, 2), 2, 4)
    assert [(each.name, each.shape) for each in finding.operands] == [("x", (2, 2)), ("y", (2,))]
    assert "div on numpy made NaN: 2 of 4 elements" in str(finding)


def test_a_nan_that_came_with_the_data_is_told_apart() -> None:
    x = pg.tensor([1.0, math.nan])
    finding = caught(lambda: x * 2).finding
    assert not finding.made
    assert finding.operands[0].held_nan
    assert "passed on" in str(finding)
    assert "it came with the data" in str(finding)


def test_infinities_among_the_inputs_are_mentioned() -> None:
    x = pg.tensor([math.inf, 1.0])
    assert "x: float32[2], no NaN, but infinities" in str(caught(lambda: x - x))


def test_a_backward_names_the_node() -> None:
    x = pg.tensor([0.0, 1.0], requires_grad=True)
    y = (x * 0).sqrt().sum()
    finding = caught(y.backward).finding
    assert finding.backward == "MulBackward0"
    assert "while computing the gradient of MulBackward0" in str(finding)


def test_an_operator_in_a_body_is_told_with_those_that_called() -> None:
    x = pg.tensor([1.0])
    finding = caught(lambda: x.var(0)).finding
    assert finding.operator == "div"
    assert finding.inside == ("var",)
    assert "called by the body of var" in str(finding)


def test_a_nan_that_a_body_masks_is_no_finding() -> None:
    masked = pg.tensor([-math.inf, -math.inf])
    with nan_guard("collect") as guard:
        assert masked.logsumexp(0).item() == -math.inf
    assert guard.findings == []


def test_what_is_overwritten_is_looked_at_before() -> None:
    x = pg.tensor([math.inf, 1.0])
    finding = caught(lambda: x.sub_(pg.tensor([math.inf, 1.0]))).finding
    assert (finding.operator, finding.made) == ("sub_", True)


def test_masking_a_nan_is_allowed() -> None:
    x = pg.tensor([1.0, math.nan])
    with nan_guard():
        out = pg.where(x.isnan(), pg.tensor(0.0), x)
    assert out.tolist() == [1.0, 0.0]


def test_complex_and_half_results_are_watched() -> None:
    assert caught(lambda: pg.tensor([0j]) / pg.tensor([0j])).finding.operator == "div"
    half = pg.tensor([math.inf], dtype=pg.bfloat16)
    assert caught(lambda: half - half).finding.operands[0].dtype == "bfloat16"


def test_warnings_go_on_and_findings_are_kept() -> None:
    x = pg.tensor([0.0])
    with nan_guard("warn") as guard, warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        (x / x).exp()
    assert [each.category for each in said] == [NanWarning, NanWarning]
    assert "div on numpy made NaN" in str(said[0].message)
    assert "with the data" not in str(said[1].message)
    assert [(each.operator, each.made) for each in guard.findings] == [
        ("div", True),
        ("exp", False),
    ]


def test_collecting_says_nothing() -> None:
    x = pg.tensor([0.0])
    with warnings.catch_warnings(), nan_guard("collect") as guard:
        warnings.simplefilter("error")
        x / x
    assert len(guard.findings) == 1


def test_enable_and_disable_last_for_a_program() -> None:
    x = pg.tensor([0.0])
    enable()
    try:
        with pytest.raises(NanError):
            x / x
    finally:
        disable()
    assert math.isnan((x / x).item())


def test_while_down_the_kernel_itself_is_called() -> None:
    owner = pg.backends.backend("numpy")
    bare = owner.resolve("div")
    with nan_guard():
        assert owner.resolve("div") is not bare
    assert owner.resolve("div") is bare
    assert not [name for name in owner.origins if "nanguard" in name]


def test_a_healthy_training_step_passes() -> None:
    model = pg.nn.Sequential(pg.nn.Linear(4, 8), pg.nn.ReLU(), pg.nn.LayerNorm(8))
    optimizer = pg.optim.Adam(model.parameters())
    with nan_guard():
        for _ in range(2):
            loss = model(pg.randn(5, 4)).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
