"""Random numbers on CUDA: they come from the one generator that all devices share, so that a seed
gives the same numbers everywhere.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from plugrad import random
from plugrad.cuda.devices import device_count
from plugrad.cuda.where import AnyDevice

if TYPE_CHECKING:
    from plugrad.tensor import Tensor


def manual_seed(seed: int) -> None:
    """`plugrad.manual_seed`."""
    random.manual_seed(seed)


def manual_seed_all(seed: int) -> None:
    """`plugrad.manual_seed`."""
    random.manual_seed(seed)


def seed() -> None:
    """Seed the default generator from the operating system."""
    random.seed()


def seed_all() -> None:
    """Seed the default generator from the operating system."""
    random.seed()


def initial_seed() -> int:
    """The default generator's seed."""
    return random.initial_seed()


def get_rng_state(device: AnyDevice = "cuda") -> Tensor:
    """The default generator's seed and position."""
    return random.get_rng_state()


def get_rng_state_all() -> list[Tensor]:
    """The default generator's seed and position, once for each device."""
    return [random.get_rng_state() for _ in range(device_count())]


def set_rng_state(new_state: Tensor, device: AnyDevice = "cuda") -> None:
    """Set the default generator to a state that `get_rng_state` gave."""
    random.set_rng_state(new_state)


def set_rng_state_all(new_states: Iterable[Tensor]) -> None:
    """Set the default generator to a state of which each device has one."""
    for state in new_states:
        random.set_rng_state(state)
