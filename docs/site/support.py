"""docs/support.md: what the conformance kit says of each backend, family by family.

    python docs/site/support.py [--level N]
    python docs/site/support.py numpy.json numba.json

asks the backends, or takes results of `plugrad conformance NAME --json FILE`. CUDA's result is
conformance/results/cuda.json, which a machine with a GPU leaves there.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "support.md"
ON_A_GPU = ROOT / "conformance" / "results" / "cuda.json"
BACKENDS = ("numpy", "numba")
SCHEMA = 1

_RIGHT = ("native", "inherited", "composite", "declined", "view")
_FORESEEN = ("unsupported", "expected failure")
_COLUMNS = ("backend", "level", "rows", *_RIGHT, "refused", "wrong")

_HEAD = """\
# Backends

This page is made by `python docs/site/support.py` from results of the
[conformance kit](conformance.md). Its figures are rows: an operator in a dtype and a variant of its
call (shapes, parameters, orders in memory). Each is asked about by many questions, and has one
status.

| status | who answers |
|---|---|
| native | a kernel of the backend |
| inherited | a kernel of the backend that it builds on: of Numba's, NumPy's |
| composite | the operator's body, in other operators: the backend has no kernel for it |
| declined | the operator's body: the backend's kernel declined this call |
| view | nobody: another look at the same memory |
| refused | nobody: the manifest or the backend's expectations say so |

All these are as they should be. Anything else would be wrong, and is counted apart."""


def page(results: dict[str, dict[str, Any] | None]) -> str:
    """The page from the results by backend, `None` for one that has none."""
    known = {name: result for name, result in results.items() if result is not None}
    lines = [_HEAD, "", "## All rows", "", _row([*_COLUMNS]), _rule(len(_COLUMNS))]
    for name, result in known.items():
        found = Counter(each["status"] for each in result["rows"])
        figures = [found[status] for status in _RIGHT]
        refused = sum(found[status] for status in _FORESEEN)
        figures += [refused, found.total() - sum(figures) - refused]
        cells = [f"{each:,}" for each in (found.total(), *figures)]
        lines.append(_row([f"`{name}`", result["level"], *cells]))
    lines += ["", "The level is how far was asked: 0 storage and primitives, 1 all operators, 2 "]
    lines[-1] += "gradients, 3 training, 4 whole programs."
    lines += [f"`{name}`: not yet run on a GPU." for name in results if name not in known]
    lines += ["", "## Families", "", _families(results, known)]
    lines += ["", "## Dtypes", "", *_dtypes(results, known)]
    return "\n".join(lines) + "\n"


def _families(results: dict[str, dict[str, Any] | None], known: dict[str, dict[str, Any]]) -> str:
    rows = [each for result in known.values() for each in result["rows"]]
    families = list(dict.fromkeys(each["family"] for each in rows))
    lines = [_row(["family", "operators", *[f"`{name}`" for name in results]])]
    lines.append(_rule(2 + len(results)))
    for family in families:
        operators = {each["operator"] for each in rows if each["family"] == family}
        cells = [_cell(result, family) for result in results.values()]
        lines.append(_row([family, len(operators), *cells]))
    return "\n".join(lines)


def _cell(result: dict[str, Any] | None, family: str) -> str:
    if result is None:
        return "not yet run on a GPU"
    found = Counter(each["status"] for each in result["rows"] if each["family"] == family)
    order = [*_RIGHT, *sorted(set(found) - set(_RIGHT))]
    return ", ".join([f"{found[status]} {status}" for status in order if found[status]])


def _dtypes(
    results: dict[str, dict[str, Any] | None], known: dict[str, dict[str, Any]]
) -> list[str]:
    named = [dtype for result in known.values() for dtype in result["backend"]["stores"]]
    lines = [_row(["dtype", *[f"`{name}`" for name in results]]), _rule(1 + len(results))]
    for dtype in dict.fromkeys(named):
        cells = [_held(result, dtype) for result in results.values()]
        lines.append(_row([dtype, *cells]))
    return lines


def _held(result: dict[str, Any] | None, dtype: str) -> str:
    if result is None:
        return "not yet run on a GPU"
    if dtype in result["backend"]["computes"]:
        return "computes"
    return "stores" if dtype in result["backend"]["stores"] else ""


def _row(cells: list[Any]) -> str:
    return "| " + " | ".join(map(str, cells)) + " |"


def _rule(columns: int) -> str:
    return "|" + "---|" * columns


def read(file: Path) -> dict[str, Any]:
    """A result of the kit."""
    result = json.loads(file.read_text(encoding="utf-8"))
    if result["schema"] != SCHEMA:
        raise SystemExit(f"{file}: schema {result['schema']}, this script reads {SCHEMA}")
    return result


def ask(backend: str, level: int) -> dict[str, Any]:
    """Run the kit on a backend."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"{backend}.json"
        command = ["-m", "plugrad_conformance", "--backend", backend, "--json", str(file)]
        subprocess.run([sys.executable, *command, "--level", str(level)], check=True)
        return read(file)


def main() -> None:
    """Write the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("results", nargs="*", type=Path, help="results that are there already")
    parser.add_argument("--level", type=int, default=4, help="how far to ask (4)")
    options = parser.parse_args()
    given = {result["backend"]["name"]: result for result in map(read, options.results)}
    results: dict[str, dict[str, Any] | None] = {
        name: given.get(name) or ask(name, options.level) for name in BACKENDS
    }
    results["cuda"] = read(ON_A_GPU) if ON_A_GPU.exists() else None
    PAGE.write_text(page(results), encoding="utf-8")


if __name__ == "__main__":
    main()
