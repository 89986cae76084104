"""The fixture that every test of the suite takes: the name of the device that is tested."""

from __future__ import annotations

import pytest

from plugrad_conformance.asking import device_of


@pytest.fixture(scope="session")
def device(request: pytest.FixtureRequest) -> str:
    """The device to test on, from `--backend`; a backend that cannot be used ends the run with its
    reason.
    """
    return device_of(request.config)
