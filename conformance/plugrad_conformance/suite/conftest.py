"""The fixture that every test of the suite takes: the name of the backend that is tested."""

from __future__ import annotations

import pytest

import plugrad


@pytest.fixture(scope="session")
def device(request: pytest.FixtureRequest) -> str:
    """The device to test on, from `--backend`; a backend that cannot be used ends the run with its
    reason.
    """
    name = request.config.getoption("--backend")
    try:
        return str(plugrad.backends.resolve_device(name))
    except plugrad.errors.BackendError as error:
        pytest.exit(str(error), returncode=4)
