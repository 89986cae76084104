"""NVRTC, of which only the version is asked."""

from __future__ import annotations

from shim.raw import version


def getVersion() -> tuple[int, int]:
    return version()
