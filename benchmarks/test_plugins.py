"""What the plugins cost while nobody uses them: dispatch in fresh processes, with their
distributions installed and without, in turn.

The call is `x + y` on eight floats; `used` opens and closes a profile and a NaN guard before the
clock starts, `open` measures inside of a profile. Ratios are to the process without plugins.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

PLUGINS = Path(__file__).parents[1] / "plugins"
ROUNDS = 9

CLOCK = """
import sys
from contextlib import nullcontext
from time import perf_counter
import plugrad as pg
x, y = pg.tensor([1.0] * 8), pg.tensor([2.0] * 8)
block = nullcontext()
if sys.argv[1] in ("used", "open"):
    from plugrad_nanguard import nan_guard
    from plugrad_profiler import profile
    with profile(), nan_guard():
        x + y
    block = profile() if sys.argv[1] == "open" else block
calls = 2_000 if sys.argv[1] == "open" else 20_000
times = []
with block:
    for _ in range(1_000):
        x + y
    for _ in range(11):
        start = perf_counter()
        for _ in range(calls):
            x + y
        times.append((perf_counter() - start) / calls)
print(sorted(times)[5])
"""


@pytest.fixture
def installed(tmp_path: Path) -> str:
    """The plugins as an environment that has them installed sees them: code and metadata."""
    folders = [str(tmp_path)]
    for project in sorted(PLUGINS.glob("*/pyproject.toml")):
        folders.append(str(project.parent))
        facts = tomllib.loads(project.read_text(encoding="utf-8"))["project"]
        info = tmp_path / f"{facts['name'].replace('-', '_')}-0.1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {facts['name']}\nVersion: 0.1.0\n"
        )
        lines: list[str] = []
        for group, entries in facts.get("entry-points", {}).items():
            lines += [f"[{group}]", *[f"{name} = {place}" for name, place in entries.items()]]
        (info / "entry_points.txt").write_text("\n".join(lines))
    return os.pathsep.join(folders)


def seconds(how: str, path: str) -> float:
    kept = os.environ.get("PYTHONPATH", "")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [path, kept]))}
    command = [sys.executable, "-c", CLOCK, how]
    return float(subprocess.check_output(command, env=environment, text=True))


def test_plugins_cost_nothing_while_absent(installed: str) -> None:
    ways = {"absent": "", "installed": installed, "used": installed, "open": installed}
    times: dict[str, list[float]] = {how: [] for how in ways}
    for _ in range(ROUNDS):
        for how, path in ways.items():
            times[how].append(seconds(how, path))
    print(f"\n{'x + y on eight floats':24} {'median':>9} {'ratio':>7}")
    for how, found in times.items():
        ratios = [mine / bare for mine, bare in zip(found, times["absent"], strict=True)]
        median = statistics.median(found) * 1e9
        print(f"{how:24} {median:6.0f} ns {statistics.median(ratios):7.3f}")
