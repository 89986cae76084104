"""Handwritten digits: 1,797 images of 8x8 pixels in ten classes (UCI, CC BY 4.0).

The file is one xz stream of bytes: all pixels, image by image and row by row, then all labels.
Its source and licence are in `digits.LICENSE.txt`.
"""

from __future__ import annotations

import hashlib
import lzma
from pathlib import Path
from typing import TYPE_CHECKING

from plugrad.creation import frombuffer
from plugrad.dtypes import float32, int64, uint8
from plugrad.errors import CheckpointError

if TYPE_CHECKING:
    from plugrad.tensor import Tensor

COUNT = 1797
SIDE = 8
DARKEST = 16
FILE = Path(__file__).with_name("digits.bin.xz")
SHA256 = "87ff0c9e40dc7e2c0e34e7257799c2e3f3aec1a016363bb11cad869ec428a826"


def load_digits() -> tuple[Tensor, Tensor]:
    """Images (1797, 1, 8, 8), float32 from 0 (paper) to 1 (ink), and labels (1797,), int64."""
    images, labels = read_digits()
    pixels = frombuffer(images, dtype=uint8).reshape(COUNT, 1, SIDE, SIDE)
    return pixels.to(float32) / DARKEST, frombuffer(labels, dtype=uint8).to(int64)


def read_digits(file: Path = FILE) -> tuple[bytearray, bytearray]:
    """The pixels (0..16) and the labels (0..9), one byte each.

    Raises CheckpointError for a file that is missing, truncated or not the one that was shipped.
    """
    try:
        payload = lzma.decompress(file.read_bytes())
    except OSError as error:
        raise _refuse(file, "cannot be read") from error
    except lzma.LZMAError as error:
        raise _refuse(file, "is truncated or not an xz file") from error
    if hashlib.sha256(payload).hexdigest() != SHA256:
        raise _refuse(file, "holds other bytes than the ones shipped")
    split = COUNT * SIDE * SIDE
    # Writable copies: a tensor made of them may be written to.
    return bytearray(payload[:split]), bytearray(payload[split:])


def _refuse(file: Path, problem: str) -> CheckpointError:
    return CheckpointError(str(file), problem, hint="reinstall plugrad")
