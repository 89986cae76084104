"""Training on the digits: the loop learns, stops and goes on to the same bits; a run keeps its
files.
"""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import plugrad as pg
from plugrad.errors import CheckpointError
from plugrad.serialize import load, save
from plugrad.training import MODELS, ClassScore, EpochResult, Run, Settings, Training, class_scores

SHORT = Settings(model="mlp", epochs=3, batch_size=128, lr=2e-3, seed=5)


def flat(state: Any) -> Any:
    """A nest with lists in place of its tensors, so that it can be compared."""
    if isinstance(state, pg.Tensor):
        return state.dtype, state.tolist()
    if isinstance(state, dict):
        return {key: flat(value) for key, value in state.items() if "second" not in str(key)}
    if isinstance(state, (list, tuple)):
        return [flat(each) for each in state]
    return state


@pytest.mark.parametrize("model", sorted(MODELS))
def test_every_model_maps_images_to_ten_classes(model: str) -> None:
    made = MODELS[model]()
    out = made(pg.rand(3, 1, 8, 8))
    assert tuple(out.shape) == (3, 10)
    out.sum().backward()
    assert all(parameter.grad is not None for parameter in made.parameters())


@pytest.mark.parametrize(
    ("model", "accuracy"), [("cnn", 0.95), ("mlp", 0.85), ("transformer", 0.8)]
)
def test_every_model_learns(model: str, accuracy: float) -> None:
    training = Training(Settings(model, epochs=4, batch_size=32, lr=3e-3, seed=0))
    results = list(training.run())
    assert results[-1].test_accuracy > accuracy
    assert results[-1].train_loss < results[0].train_loss


def test_a_fifth_is_held_out_and_never_trained_on() -> None:
    training = Training(SHORT)
    learned, held_out = training.train_set.indices, training.test_set.indices
    assert (len(learned), len(held_out)) == (1438, 359)
    assert sorted([*learned, *held_out]) == list(range(1797))


def test_the_seed_decides_everything() -> None:
    def result(seed: int) -> Any:
        training = Training(replace(SHORT, epochs=1, seed=seed))
        list(training.run())
        return flat(training.state_dict())

    first = result(1)
    assert first == result(1)
    assert first["model"] != result(2)["model"]


@pytest.mark.parametrize("model", sorted(MODELS))
@pytest.mark.parametrize("done", [0, 1])
def test_a_resumed_training_ends_with_the_same_bits(tmp_path: Path, model: str, done: int) -> None:
    settings = Settings(model, epochs=2, batch_size=256, lr=2e-3, seed=3)
    whole = Training(settings)
    list(whole.run())

    part = Training(settings)
    if done:
        next(part.run())
    save(part.state_dict(), tmp_path / "checkpoint")
    pg.manual_seed(99)  # whatever happens in between
    pg.rand(1000)
    resumed = Training(settings)
    resumed.load_state_dict(load(tmp_path / "checkpoint"))
    assert resumed.epochs_done == done
    list(resumed.run())
    assert flat(resumed.state_dict()) == flat(whole.state_dict())


def test_progress_is_told_after_each_batch() -> None:
    told: list[tuple[int, float]] = []
    training = Training(replace(SHORT, epochs=1))
    (result,) = training.run(lambda seen, loss: told.append((seen, loss)))
    assert [seen for seen, _ in told] == [*range(128, 1438, 128), 1438]
    assert told[-1][1] == result.train_loss


def test_the_learning_rate_falls_to_almost_nothing() -> None:
    settings = replace(SHORT, epochs=10, batch_size=1438)
    rates = [result.learning_rate for result in Training(settings).run()]
    assert rates[0] == SHORT.lr
    assert rates == sorted(rates, reverse=True)
    assert 0 < rates[-1] < 0.2 * SHORT.lr


def test_predictions_agree_with_the_accuracy() -> None:
    training = Training(replace(SHORT, epochs=1))
    list(training.run())
    found, true = training.predictions()
    right = sum(f == t for f, t in zip(found, true, strict=True))
    assert right / len(true) == training.evaluate()[1] == training.history[-1].test_accuracy


def test_scores_of_a_class_count_both_kinds_of_errors() -> None:
    scores = class_scores(found=[0, 0, 1, 1, 1], true=[0, 1, 1, 1, 2], classes=4)
    assert scores == [
        ClassScore(0, 1 / 2, 1.0, 1),
        ClassScore(1, 2 / 3, 2 / 3, 3),
        ClassScore(2, 0.0, 0.0, 1),
        ClassScore(3, 0.0, 0.0, 0),
    ]


# a run's folder -----------------------------------------------------------------------------------


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path / "deep" / "run")


def test_a_run_has_a_checkpoint_before_its_first_epoch(run: Run) -> None:
    run.begin(SHORT)
    resumed = run.resume({})
    assert (resumed.epochs_done, resumed.settings) == (0, SHORT)


def test_a_resumed_run_takes_its_settings_from_the_checkpoint(run: Run) -> None:
    training = run.begin(SHORT)
    next(training.run())
    run.keep(training)
    resumed = run.resume({"model": "mlp", "epochs": 9})
    assert resumed.settings == replace(SHORT, epochs=9)
    assert resumed.history == training.history


def test_metrics_are_a_table_with_a_line_per_epoch(run: Run) -> None:
    training = run.begin(SHORT)
    for _ in training.run():
        run.keep(training)
    with open(run.metrics, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["epoch"]) for row in rows] == [1, 2, 3]
    assert [float(row["test_accuracy"]) for row in rows] == [
        result.test_accuracy for result in training.history
    ]
    assert set(rows[0]) == set(EpochResult.__dataclass_fields__)


def test_the_learning_curve_is_a_picture(run: Run) -> None:
    pytest.importorskip("matplotlib")
    training = run.begin(SHORT)
    next(training.run())
    assert run.draw(training)
    assert run.learning_curve.read_bytes().startswith(b"\x89PNG")


def test_without_matplotlib_there_is_no_picture(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    training = run.begin(SHORT)
    monkeypatch.setitem(__import__("sys").modules, "matplotlib.figure", None)
    assert not run.draw(training)
    assert sorted(path.name for path in run.folder.iterdir()) == [
        "checkpoint.safetensors",
        "metrics.csv",
    ]


def test_there_must_be_something_to_resume(run: Run) -> None:
    with pytest.raises(CheckpointError, match="is not there: nothing to resume; train without"):
        run.resume({})


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        ({"model": "cnn"}, "was trained with model mlp, got cnn; leave that option out"),
        ({"lr": 0.5}, "was trained with lr 0.002, got 0.5"),
        ({"seed": 1}, "was trained with seed 5, got 1"),
    ],
)
def test_other_settings_than_the_checkpoints_are_refused(
    run: Run, chosen: dict[str, Any], said: str
) -> None:
    run.begin(SHORT)
    with pytest.raises(CheckpointError, match=said):
        run.resume(chosen)


def test_fewer_epochs_than_are_done_are_refused(run: Run) -> None:
    training = run.begin(replace(SHORT, epochs=2))
    for _ in training.run():
        run.keep(training)
    with pytest.raises(CheckpointError, match="has 2 epochs, more than the 1 asked for; raise"):
        run.resume({"epochs": 1})


@pytest.mark.parametrize("content", [{"model": {}}, [1], {"settings": {"colour": "red"}}])
def test_a_checkpoint_of_something_else_is_refused(run: Run, content: Any) -> None:
    run.begin(SHORT)
    save(content, run.checkpoint)
    with pytest.raises(CheckpointError, match="is no checkpoint of `plugrad train`"):
        run.resume({})


@pytest.mark.parametrize("damage", ["model", "optimizer", "random", "history"])
def test_a_checkpoint_that_does_not_fit_is_refused(run: Run, damage: str) -> None:
    training = run.begin(SHORT)
    save({**training.state_dict(), damage: {"foreign": pg.ones(1)}}, run.checkpoint)
    with pytest.raises(CheckpointError, match=r"does not fit: .*; train without --resume"):
        run.resume({})


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CheckpointError, match=r"cannot be made: .*choose a folder"):
        Run(tmp_path / "file" / "run").begin(SHORT)
