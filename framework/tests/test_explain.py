"""Who answers an operator, and what became of the backends."""

from __future__ import annotations

import re
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

import plugrad as pg
from plugrad import backends, discovery
from plugrad._version import __version__
from plugrad.dispatch import operators
from plugrad.dtypes import float32
from plugrad.errors import ArgumentError, BackendImportError, UnknownBackendError
from plugrad.explain import explain
from plugrad.hooks import CONTRACT_VERSION, Manifest, kernel
from plugrad.inventory import backend_state, backend_states
from plugrad.ops.activation import relu

OURS = f"plugrad {__version__}"


def test_a_primitive_is_answered_by_its_kernel_alone() -> None:
    found = explain("tanh", "numpy")
    assert (found.contract, found.device, found.uses) == ("tanh(x, /)", "numpy", ())
    (answer,) = found.answers
    assert (answer.role, answer.function) == ("kernel", "plugrad_numpy.elementwise.tanh")
    assert (answer.plugin, answer.distribution) == ("plugrad_numpy.elementwise", OURS)


def test_the_body_of_a_composite_comes_last() -> None:
    found = explain("sgd_step", "numpy")
    assert [answer.role for answer in found.answers] == ["kernel", "body"]
    assert found.answers[-1].function == "plugrad.ops.optimizer.sgd_step"
    assert found.answers[-1].distribution == OURS


@pytest.mark.parametrize(
    ("operator", "uses"),
    [
        ("relu", ("maximum",)),
        ("silu", ("mul", "sigmoid")),
        ("sigmoid", ("exp", "abs", "neg", "where", "ge", "add", "div")),
    ],
)
def test_the_operators_of_a_body_are_named(operator: str, uses: tuple[str, ...]) -> None:
    assert set(explain(operator, "numpy").uses) == set(uses)


def test_helpers_of_a_body_are_followed() -> None:
    assert {"tanh", "mul", "add"} <= set(explain("gelu_tanh", "numpy").uses)


def test_the_body_of_an_operator_in_place_names_the_operator_that_it_is_made_of() -> None:
    assert {"tanh", "copy_"} <= set(explain("tanh_", "numpy").uses)


def test_an_operator_may_be_given_as_its_function() -> None:
    assert explain(relu, "numpy") == explain("relu", "numpy")


def test_a_view_has_no_kernel() -> None:
    found = explain("permute", "numpy")
    assert (found.answers, found.family) == ((), "view")
    assert repr(found).endswith("metadata alone: no kernel is called")


def test_without_data_only_the_body_is_left() -> None:
    assert [answer.role for answer in explain("relu", "meta").answers] == ["body"]


def test_plugins_are_shown_in_calling_order() -> None:
    @kernel
    def relu(x: Any) -> Any:
        return None

    @kernel(wrapper=True, specname="relu")
    def watch(x: Any) -> Iterator[Any]:
        return (yield)

    backends.register(SimpleNamespace(relu=relu), name="mine", backend="numpy")
    backends.register(SimpleNamespace(watch=watch), name="watcher")
    try:
        answers = explain("relu", "numpy").answers
        assert [(each.role, each.plugin) for each in answers[:2]] == [
            ("wrapper", "watcher"),
            ("kernel", "mine"),
        ]
        assert {each.distribution for each in answers[:2]} == {"(this program)"}
    finally:
        backends.unregister("mine")
        backends.unregister("watcher")
    assert "mine" not in repr(explain("relu", "numpy"))


def test_fallbacks_are_counted() -> None:
    before = explain("logsumexp", "numpy").fallbacks
    pg.ones(2).logsumexp(0)
    found = explain("logsumexp", "numpy")
    assert found.fallbacks == before + ("kernel" not in repr(found))


def test_repr_numbers_the_answers() -> None:
    lines = repr(explain("sigmoid", "numpy")).splitlines()
    assert lines[0] == "sigmoid(x, /) on numpy, elementwise"
    assert lines[1] == f"  1. kernel  plugrad_numpy.elementwise.sigmoid  ({OURS})"
    assert lines[2] == f"  2. body    plugrad.ops.elementwise.sigmoid  ({OURS})"
    assert lines[3].startswith("  the body uses exp, ")


def test_an_unknown_operator_is_refused_with_its_neighbours() -> None:
    with pytest.raises(ArgumentError, match="got 'sofmax'; did you mean softmax"):
        explain("sofmax")
    with pytest.raises(ArgumentError, match="got 'print'"):
        explain(print)


def test_an_unknown_backend_is_refused() -> None:
    with pytest.raises(UnknownBackendError):
        explain("relu", "nowhere")


# the states of backends ---------------------------------------------------------------------------


class Guest:
    """A backend on NumPy's arrays that goes wrong in one way."""

    def __init__(self, **manifest: Any) -> None:
        facts = {"name": "guest", "version": "7", "description": "", "modules": ()}
        facts |= {"contract": CONTRACT_VERSION, "dtypes": (float32,), "builds_on": "numpy"}
        self.manifest = Manifest(**{**facts, **manifest})

    @kernel
    def plugrad_manifest(self) -> Manifest:
        return self.manifest


class WithoutDriver(Guest):
    @kernel
    def device_count(self) -> int:
        raise OSError("the driver is asleep")


class WithoutDevice(Guest):
    @kernel
    def device_count(self) -> int:
        return 0


class WithTwo(Guest):
    @kernel
    def device_count(self) -> int:
        return 2


class Wild:
    @kernel
    def plugrad_manifest(self) -> Manifest:
        raise SystemExit(3)


@pytest.fixture
def offered() -> Iterator[Any]:
    def offer(plugin: Any) -> None:
        discovery.offer("guest", plugin)

    yield offer
    discovery.withdraw("guest")
    backends.unload("guest")


def test_the_reference_is_ready() -> None:
    state = backend_states()[0]
    assert (state.name, state.condition, state.devices) == ("numpy", "ready", ("numpy",))
    assert (state.distribution, state.reason) == (OURS, "")
    assert state.version.startswith("numpy ")


def test_well_known_backends_are_listed_with_what_to_type(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(discovery, "names", lambda: ["numpy"])
    found = {state.name: state for state in backend_states()}
    assert list(found) == ["numpy", "numba", "cuda"]
    monkeypatch.setitem(discovery.INSTALL_HINTS, "zebra", "pip install zebra")
    state = backend_state("zebra")
    assert (state.condition, state.reason) == ("not installed", "pip install zebra")


@pytest.mark.parametrize(
    ("plugin", "condition", "devices", "reason"),
    [
        (Guest(), "ready", ("guest",), ""),
        (WithTwo(numbered=True), "ready", ("guest:0", "guest:1"), ""),
        (WithoutDriver(), "no device", (), "OSError: the driver is asleep"),
        (WithoutDevice(), "no device", (), "it counts no devices"),
        (Guest(contract=99), "contract mismatch", (), "written for contract 99, .*upgrade plugrad"),
        (Guest(modules=("no_such_module",)), "import failed", (), "importing its module 'no_such"),
        (Guest(builds_on="nowhere"), "not installed", (), ""),
        (SimpleNamespace(), "plugin", (), "is a plugin, not a backend"),
        (Wild(), "unusable", (), "SystemExit: 3"),
    ],
)
def test_every_condition_is_told_with_its_reason(
    offered: Any, plugin: Any, condition: str, devices: tuple[str, ...], reason: str
) -> None:
    offered(plugin)
    state = backend_state("guest")
    assert (state.condition, state.devices) == (condition, devices)
    assert re.search(reason, state.reason)
    assert state in backend_states()


def test_a_blocked_backend_is_told_so(offered: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    offered(Guest())
    monkeypatch.setenv("PLUGRAD_BLOCK", "guest")
    state = backend_state("guest")
    assert state.condition == "blocked"
    assert "take the name out of that environment variable" in state.reason


def test_a_module_of_a_backend_that_cannot_be_imported_is_named(offered: Any) -> None:
    offered(Guest(modules=("no_such_module",)))
    with pytest.raises(
        BackendImportError, match="'no_such_module' failed: ModuleNotFound"
    ) as error:
        pg.zeros(2, device="guest")
    assert isinstance(error.value.__cause__, ModuleNotFoundError)


def test_the_body_of_an_operator_of_the_running_program_is_credited_to_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(operators["relu"].function, "__module__", "my_program")
    body = explain("relu", "numpy").answers[-1]
    assert (body.plugin, body.distribution) == ("my_program", "(this program)")
