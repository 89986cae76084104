"""Storage: one flat buffer owned by a backend, shared by a tensor and its views, with a version
counter.
"""

from __future__ import annotations

from typing import Any, final


@final
class Storage:
    """A flat run of elements of one dtype on one device.

    `buffer` is the backend's own one-dimensional array, or `None` as long as nobody has asked for
    it. `version` counts the in-place writes: what was saved for backward compares it.
    """

    __slots__ = ("__weakref__", "buffer", "version")

    def __init__(self, buffer: Any = None) -> None:
        self.buffer = buffer
        self.version = 0
