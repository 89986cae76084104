"""The pytest plugin: the option that says which backend is to be proved."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--backend`."""
    parser.addoption(
        "--backend",
        default="numpy",
        help="the plugrad backend that the conformance kit tests (default: %(default)s)",
    )
