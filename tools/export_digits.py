"""Write framework/plugrad/datasets/digits.bin.xz from scikit-learn's copy of the digits.

Run by hand, once; needs scikit-learn. Layout: 1,797 x 64 pixels (0..16, row by row), then 1,797
labels (0..9), one byte each, as one xz stream. Prints the SHA-256 that `digits.py` checks.
"""

from __future__ import annotations

import hashlib
import lzma
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

TARGET = Path(__file__).parents[1] / "framework/plugrad/datasets/digits.bin.xz"

# Contexts of eight bytes, one image row: smallest of all lc/lp/pb settings for these pixels.
FILTERS = [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "lc": 0, "lp": 3, "pb": 3}]


def main() -> None:
    digits = load_digits()
    images = digits.data.astype(np.uint8)
    labels = digits.target.astype(np.uint8)
    if not (np.array_equal(images, digits.data) and np.array_equal(labels, digits.target)):
        raise SystemExit("the pixels or labels are not whole numbers of one byte")
    payload = images.tobytes() + labels.tobytes()
    TARGET.write_bytes(lzma.compress(payload, check=lzma.CHECK_CRC32, filters=FILTERS))
    print(f"{TARGET}: {TARGET.stat().st_size} bytes, sha256 {hashlib.sha256(payload).hexdigest()}")


if __name__ == "__main__":
    main()
