"""The shipped digits: what is in them, and what is said of a damaged file."""

from __future__ import annotations

import lzma
from collections import Counter
from pathlib import Path

import pytest

from plugrad.datasets import load_digits
from plugrad.datasets.digits import FILE, read_digits
from plugrad.dtypes import float32, int64
from plugrad.errors import CheckpointError


def test_every_class_has_the_number_of_images_that_uci_counts() -> None:
    _, labels = read_digits()
    per_class = [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert Counter(labels) == Counter(dict(enumerate(per_class)))


def test_the_first_image_is_the_zero_of_scikit_learn() -> None:
    images, labels = read_digits()
    assert len(images) == 1797 * 64
    assert labels[0] == 0
    assert list(images[:24]) == [
        *(0, 0, 5, 13, 9, 1, 0, 0),
        *(0, 0, 13, 15, 10, 15, 5, 0),
        *(0, 3, 15, 2, 0, 11, 8, 0),
    ]
    assert max(images) == 16


def test_loaded_tensors_have_the_documented_shape_dtype_and_scale() -> None:
    images, labels = load_digits()
    assert (tuple(images.shape), images.dtype) == ((1797, 1, 8, 8), float32)
    assert (tuple(labels.shape), labels.dtype) == ((1797,), int64)
    assert images[0, 0, 0].tolist() == [0.0, 0.0, 5 / 16, 13 / 16, 9 / 16, 1 / 16, 0.0, 0.0]
    assert (images.min().item(), images.max().item()) == (0.0, 1.0)
    assert labels[:10].tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]


def test_two_loads_share_no_memory() -> None:
    first, _ = read_digits()
    first[0] = 7
    assert read_digits()[0][0] == 0


@pytest.mark.parametrize("kept", [0, 1, 1000, FILE.stat().st_size - 1])
def test_a_truncated_file_is_refused(tmp_path: Path, kept: int) -> None:
    damaged = tmp_path / "digits.bin.xz"
    damaged.write_bytes(FILE.read_bytes()[:kept])
    with pytest.raises(CheckpointError, match=r"digits\.bin\.xz: is truncated or not an xz file"):
        read_digits(damaged)


def test_a_file_with_other_bytes_is_refused(tmp_path: Path) -> None:
    payload = bytearray(lzma.decompress(FILE.read_bytes()))
    payload[-1] = (payload[-1] + 1) % 10
    foreign = tmp_path / "digits.bin.xz"
    foreign.write_bytes(lzma.compress(payload))
    with pytest.raises(CheckpointError, match="other bytes") as refused:
        read_digits(foreign)
    assert refused.value.path == str(foreign)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="cannot be read; reinstall plugrad") as refused:
        read_digits(tmp_path / "absent.xz")
    assert isinstance(refused.value.__cause__, FileNotFoundError)
