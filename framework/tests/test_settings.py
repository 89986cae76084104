"""PyTorch's switches of a whole program, and what they say they do."""

from __future__ import annotations

import pytest

import plugrad as pg
from plugrad.errors import ArgumentError, KindError


@pytest.fixture(autouse=True)
def as_before():
    yield
    pg.use_deterministic_algorithms(False)
    pg.set_float32_matmul_precision("highest")
    pg.set_warn_always(False)


def test_deterministic_algorithms_are_asked_for_by_either_name():
    assert not pg.are_deterministic_algorithms_enabled()
    pg.use_deterministic_algorithms(True)
    assert pg.are_deterministic_algorithms_enabled()
    assert pg.get_deterministic_debug_mode() == 2
    pg.use_deterministic_algorithms(True, warn_only=True)
    assert pg.is_deterministic_algorithms_warn_only_enabled()
    for mode, number in (("default", 0), ("warn", 1), ("error", 2), (1, 1)):
        pg.set_deterministic_debug_mode(mode)
        assert pg.get_deterministic_debug_mode() == number
    pg.use_deterministic_algorithms(False, warn_only=True)
    assert not pg.is_deterministic_algorithms_warn_only_enabled()


def test_the_precision_of_products_can_be_asked_for():
    assert pg.get_float32_matmul_precision() == "highest"
    pg.set_float32_matmul_precision("high")
    assert pg.get_float32_matmul_precision() == "high"


def test_what_cannot_be_had_is_said():
    assert pg.set_flush_denormal(True) is False
    assert pg.set_flush_denormal(False) is False
    pg.set_num_interop_threads(4)
    assert pg.get_num_interop_threads() == 1
    assert (pg.tensor(1e-40) * 0.5).item() > 0


def test_warnings_can_be_asked_for_always():
    pg.set_warn_always(True)
    assert pg.is_warn_always_enabled()


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda: pg.set_float32_matmul_precision("low"), ArgumentError),
        (lambda: pg.set_deterministic_debug_mode("loud"), ArgumentError),
        (lambda: pg.set_deterministic_debug_mode(3), ArgumentError),
        (lambda: pg.set_deterministic_debug_mode(1.5), KindError),
        (lambda: pg.set_num_interop_threads(0), ArgumentError),
        (lambda: pg.set_warn_always(1), KindError),
    ],
)
def test_other_settings_are_refused(call, error):
    with pytest.raises(error):
        call()


def test_random_numbers_in_a_fork_leave_no_trace():
    pg.manual_seed(3)
    expected = pg.rand(4).tolist()
    pg.manual_seed(3)
    with pg.random.fork_rng():
        pg.rand(100)
    assert pg.rand(4).tolist() == expected
    pg.manual_seed(3)
    with pg.random.fork_rng(enabled=False):
        assert pg.rand(4).tolist() == expected
    assert pg.rand(4).tolist() != expected
