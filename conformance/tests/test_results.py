"""Rows, levels, selections and what is drawn of them."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from plugrad import dtypes, ops
from plugrad_conformance import levels, selection
from plugrad_conformance.layouts import LAYOUTS
from plugrad_conformance.levels import level_of_module, question_of, rows_by_name
from plugrad_conformance.program import program
from plugrad_conformance.report import page, table
from plugrad_conformance.results import Entry, Fact, Result, ResultError, neighbours, percent, read
from plugrad_conformance.selection import Selection, SelectionError, select

# questions and levels -----------------------------------------------------------------------------


def test_every_module_of_the_suite_says_its_level() -> None:
    modules = [file.stem for file in levels.SUITE.glob("test_*.py")]
    assert {level_of_module(module) for module in modules} == set(range(levels.HIGHEST + 1))


def test_module_without_a_level_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "test_novelty.py").write_text("def test_it(): pass\n", encoding="utf-8")
    monkeypatch.setattr(levels, "SUITE", tmp_path)
    with pytest.raises(ValueError, match="expected a line `LEVEL = n`"):
        question_of("test_novelty.py::test_it")


@pytest.mark.parametrize(
    ("node", "level", "subject", "operator"),
    [
        (
            "a/suite/test_forward.py::test_x[tanh-float32-rows-flipped]",
            0,
            "tanh-float32-rows",
            "tanh",
        ),
        ("test_forward.py::test_x[softmax-float32-rows]", 1, "softmax-float32-rows", "softmax"),
        ("test_derivative.py::test_x[tanh-float64-rows]", 2, "tanh-float64-rows", "tanh"),
        ("test_contract.py::test_x[softmax]", 1, "contract.x[softmax]", "softmax"),
        (
            "test_errors.py::test_x[softmax-int64-rows]",
            1,
            "errors.x[softmax-int64-rows]",
            "softmax",
        ),
        ("test_errors.py::test_x[sum over an axis]", 1, "errors.x[sum over an axis]", None),
        ("test_storage.py::test_x", 0, "storage.x", None),
    ],
)
def test_question_is_known_by_its_name(
    node: str, level: int, subject: str, operator: str | None
) -> None:
    found = question_of(node)
    assert (found.level, found.subject, found.operator) == (level, subject, operator)


def test_level_zero_counts_the_rows_of_operators_without_a_body() -> None:
    counted = {row.case.name for row in Selection(level=0).rows()}
    assert counted == {name for name, operator in ops.operators.items() if operator.body is None}
    assert len(Selection(level=1).rows()) == len(rows_by_name())


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ((7, None, None), "expected 0 to 4"),
        ((None, "sofmax", None), "did you mean softmax"),
        ((None, None, "float33"), "there is no 'float33'"),
        ((0, "softmax", None), "no row is left"),
    ],
)
def test_option_that_selects_nothing_is_refused(options: Any, complaint: str) -> None:
    with pytest.raises(SelectionError, match=complaint):
        select(*options, contract=1)


@pytest.mark.parametrize("contract", [0, selection.CONTRACT_VERSION + 1])
def test_contract_that_nobody_wrote_is_refused(contract: int) -> None:
    with pytest.raises(SelectionError, match=f"--against: expected 1 to .*, got {contract}"):
        select(None, None, None, contract)


def test_operator_newer_than_the_contract_is_not_required(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ops.operators["softmax"], "since", 2)
    monkeypatch.setattr(selection, "CONTRACT_VERSION", 2)
    older = select(1, None, "float32", 1)
    assert {row.case.name for row in older.not_required()} == {"softmax"}
    assert len(older.rows()) + len(older.not_required()) == len(
        select(1, None, "float32", 2).rows()
    )
    assert not older.wants(question_of("test_contract.py::test_x[softmax]"))


# rows ---------------------------------------------------------------------------------------------


def row(name: str, *facts: Fact) -> dict[str, Any]:
    operator, dtype, variant = name.split("-")
    entry = Entry(name, operator, "elementwise", dtype, variant, 0)
    for fact in facts:
        entry.add(fact, "forward.values", 1)
    return entry.record()


NATIVE = Fact("n", "passed", answer="native", by="plugrad_x")


@pytest.mark.parametrize(
    ("outcomes", "status"),
    [
        (["passed"], "native"),
        (["passed", "skipped"], "native"),
        (["skipped"], "native"),
        (["unsupported", "passed"], "unsupported"),
        (["expected", "unsupported"], "expected failure"),
        (["failed", "expected", "passed"], "fail"),
        (["failed", "timeout"], "timeout"),
        (["crash", "failed", "timeout", "skipped"], "crash"),
    ],
)
def test_row_has_the_worst_of_its_answers(outcomes: list[Any], status: str) -> None:
    assert row("tanh-float32-rows", NATIVE, *[Fact("n", o) for o in outcomes])["status"] == status


def test_row_that_nobody_asked_who_answers_is_right_or_was_not_asked() -> None:
    assert row("tanh-float32-rows", Fact("n", "passed"))["status"] == "right"
    assert row("tanh-float32-rows", Fact("n", "skipped"))["status"] == "skipped"


def test_row_keeps_the_error_that_came_nearest_to_what_is_allowed() -> None:
    near = Fact("n", "passed", achieved=2.0, allowed=3.0)
    far = Fact("n", "passed", achieved=100.0, allowed=1000.0)
    exact = Fact("n", "passed", achieved=0.0, allowed=0.0)
    found = row("tanh-float32-rows", NATIVE, exact, near, far)
    assert (found["achieved"], found["allowed"]) == (2.0, 3.0)


def test_wrong_row_names_the_nearest_that_is_right() -> None:
    rows = [
        row("tanh-float16-rows", NATIVE, Fact("n", "failed")),
        row("tanh-float32-line", NATIVE),
        row("tanh-float16-line", NATIVE),
        row("tanh-float32-rows", NATIVE),
    ]
    neighbours(rows)
    assert rows[0]["neighbour"] == "tanh-float32-rows"


def test_hundred_percent_means_all() -> None:
    assert percent(99_999, 100_000) == 99.9
    assert percent(5, 5) == 100.0
    assert percent(0, 0) == 0.0


# the file and what is drawn of it -----------------------------------------------------------------


def result(*rows: dict[str, Any], **changes: Any) -> Result:
    about = {
        "backend": {"name": "abacus", "version": "abacus 3"},
        "device": "abacus:0",
        "contract": {"host": 1, "backend": 1, "judged": 1},
        "level": 2,
        "selection": {"operators": None, "dtypes": None, "narrowed": ""},
        "expectations": {"failures": 0, "tolerance": 0},
        "questions": 7,
        "seconds": 1.5,
        "date": "2031-01-02T03:04:05+00:00",
    }
    return Result(about | changes, list(rows), [])


BROKEN = row(
    "exp-float32-rows",
    Fact(
        "n",
        "failed",
        answer="native",
        achieved=float("inf"),
        allowed=1e-7,
        error="MismatchError",
        message="off </script><b>",
        program="import plugrad\nprint('</script>')",
    ),
)


def test_result_is_the_same_after_writing_and_reading(tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    made = result(row("tanh-float32-rows", NATIVE), BROKEN)
    made.write(path)
    again = read(path)
    assert again == made
    document = json.loads(path.read_text(encoding="utf-8"))
    assert document["schema"] == 1
    assert document["score"]["native_percent"] == 50.0
    assert document["score"]["total_percent"] == 50.0


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"schema": 99}'])
def test_file_that_is_no_result_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "r.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ResultError, match=r"r\.json"):
        read(path)


def test_result_conforms_unless_something_is_wrong() -> None:
    sound = row("tanh-float32-rows", NATIVE)
    assert result(sound).strict
    assert not result(sound, BROKEN).conforms
    expected = result(sound, expectations={"failures": 1, "tolerance": 0})
    widened = result(sound, expectations={"failures": 0, "tolerance": 1})
    assert expected.conforms
    assert not expected.strict
    assert not widened.strict
    sound_with_problem = result(sound)
    sound_with_problem.problems.append("rows were never asked")
    assert not sound_with_problem.conforms


def test_table_shows_families_statuses_and_the_verdict() -> None:
    text = table.table_text(result(row("tanh-float32-rows", NATIVE), BROKEN), 150, colour=False)
    assert "elementwise     2       1     1      50.0     50.0" in text
    assert "exp: 1 fail; exp-float32-rows: off </script><b>" in text
    assert "plugrad conformance, abacus: 2 rows: 1 native, 1 fail" in text
    assert "level 2: does not conform: 1 rows and checks are wrong" in text


class Reader(HTMLParser):
    """Collects the tags that are open, the buttons and the texts of scripts."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.buttons: list[dict[str, str | None]] = []
        self.scripts: list[str] = []
        self.links: list[str] = []
        self.ids: list[str] = []
        self.badges: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ("meta", "link", "br"):
            self.open.append(tag)
        if tag == "button":
            self.buttons.append(dict(attrs))
        self.ids += [value or "" for name, value in attrs if name == "id"]
        kind = dict(attrs).get("class") or ""
        self.badges += [kind] * kind.startswith("badge")
        self.links += [value or "" for name, value in attrs if name in ("src", "href")]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "script":
            self.scripts.append(data)


def test_page_holds_all_that_it_shows_and_nothing_escapes() -> None:
    reader = Reader()
    text = page.page([result(row("tanh-float32-rows", NATIVE), BROKEN), result()])
    reader.feed(text)
    assert reader.open == []
    assert reader.links == []
    assert [b["data-family"] for b in reader.buttons] == ["elementwise"]
    data = json.loads(reader.scripts[0])
    assert [each["device"] for each in data] == ["abacus:0", "abacus:0"]
    broken = data[0]["rows"][1]
    assert broken[0] == "exp-float32-rows"
    assert broken[-1]["program"] == "import plugrad\nprint('</script>')"
    assert "<!--" not in text
    assert {"wrong", "opened"} <= set(reader.ids)
    assert reader.badges == ["badge fails", "badge strict"]


def test_page_of_a_part_gives_no_badge() -> None:
    reader = Reader()
    selected = {"operators": ["tanh"], "dtypes": None, "narrowed": ""}
    reader.feed(page.page([result(row("tanh-float32-rows", NATIVE), selection=selected)]))
    assert reader.badges == ["badge part"]


def test_program_of_many_numbers_in_a_pattern_rebuilds_them() -> None:
    found = rows_by_name()["add-float32-rows"]
    few = np.array([np.nan, np.inf, -0.0, 0.0, 1.5], np.float32)
    grid = [each.reshape(-1) for each in np.meshgrid(few, few)]
    arrays = tuple([np.resize(each, 70001) for each in grid])
    text = program(found, "numpy", arrays, None, np.add(*arrays))
    assert len(text) < 1000
    names: dict[str, Any] = {}
    exec(compile(text, "program", "exec"), names)
    for name, array in zip("xy", arrays, strict=True):
        assert names[name].numpy().tobytes() == array.tobytes()


def test_program_of_many_numbers_without_a_pattern_asks_about_the_row_again() -> None:
    found = rows_by_name()["tanh-float32-rows"]
    array = np.random.default_rng(0).normal(size=70001).astype(np.float32)
    text = program(found, "numpy", (array,), None, None)
    assert text.splitlines()[0] == "import pytest"
    assert "'-k', 'tanh-float32-rows'" in text
    compile(text, "program", "exec")


@pytest.mark.parametrize("order", [None, "transposed"])
def test_program_of_a_row_with_many_numbers_can_be_pasted(order: str | None) -> None:
    found = rows_by_name()["tanh-float32-large"]
    layout = next((each for each in LAYOUTS if each.name == order), None)
    text = program(found, "numpy", found.arrays(), layout, None)
    assert len(text) < 1000
    names: dict[str, Any] = {}
    exec(compile(text, "program", "exec"), names)
    assert tuple(names["out"].shape) == found.arrays()[0].shape
    assert names["out"].dtype is dtypes.float32
