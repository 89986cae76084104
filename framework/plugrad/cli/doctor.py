"""`plugrad doctor`: what stands between a backend and its first tensor, or what it consists of.

Each step says one fact; the first that makes the rest meaningless ends the examination. Hooks are
examined all of them, where loading stops at the first that does not fit.
"""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import inspect
import subprocess
import sys
import traceback
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from types import ModuleType, SimpleNamespace
from typing import Any, Literal, final

from rich.console import Console
from rich.text import Text

from plugrad import contracts, discovery
from plugrad.backends import BODIES, Backend, backend
from plugrad.cli.complaints import FAILED, MISUSED
from plugrad.devices import REFERENCE
from plugrad.dispatch import operators
from plugrad.errors import BackendError, PluginError, UnknownBackendError
from plugrad.hooks import ACCEPTED_CONTRACTS, Manifest, Services
from plugrad.inventory import BackendState, backend_state

_COLOURS = {"ok": "green", "note": "yellow", "wrong": "bold red"}
_THREADS = ("threads_set", "threads_count")
_SECONDS = 120  # for the smoke test: a first compilation takes its time
_SMOKE_TEST = (
    'x = pg.tensor([[1.0, 2.0], [3.0, 4.0]], device="{device}", requires_grad=True)',
    "(x @ x).sum().backward()",
    "print(x.grad.tolist())",
)
_SMOKE_RESULT = "[[7.0, 11.0], [9.0, 13.0]]"


@final
@dataclass(frozen=True, slots=True)
class Finding:
    """One fact: what it is about, what was found, and for a wrong one the way out."""

    verdict: Literal["ok", "note", "wrong"]
    about: str
    found: str
    hint: str = ""


def examine(name: str) -> int:
    """Print what was found; 0 if nothing is wrong, 2 if nobody offers the name, else 1."""
    console = Console(highlight=False)
    code = 0
    for finding in diagnose(name):
        about = f"{finding.verdict:<6}{finding.about:<15}"
        console.print(Text(about, style=_COLOURS[finding.verdict]), end="")
        console.print(finding.found, markup=False, soft_wrap=True)
        if finding.hint:
            console.print(f"{'':21}{finding.hint}", markup=False, soft_wrap=True)
        if finding.verdict == "wrong":
            code = MISUSED if finding.about == "name" else FAILED
    return code


def diagnose(name: str) -> Iterator[Finding]:
    """The facts of a backend, or of a plugin, in the order in which they matter."""
    try:
        offer = discovery.find(name)
    except BackendError as error:
        yield _not_found(error)
        return
    yield Finding("ok", "distribution", offer.source)
    if offer.entry is not None:
        place = _file_of(offer.entry.module)
        yield Finding("ok", "entry point", f"{name} = {offer.entry.value}", place)
    try:
        plugin = offer.load()
    except (Exception, SystemExit) as error:
        module = offer.entry.module if offer.entry else ""
        yield _failed_import(error.__cause__ or error, module, "the entry point")
        return
    yield from _complaints_about_hooks(name, plugin)
    if not hasattr(plugin, "plugrad_manifest"):
        yield _plugin_alone(name, plugin)
        return
    try:
        manifest: Manifest = plugin.plugrad_manifest()  # pyright: ignore[reportAttributeAccessIssue]
    except (Exception, SystemExit) as error:
        yield Finding("wrong", "manifest", _said(error), _where(error))
        return
    yield from _examine_manifest(name, manifest)
    yield from _examine_loaded(name, manifest)


def _not_found(error: BackendError) -> Finding:
    unknown = isinstance(error, UnknownBackendError)
    near = difflib.get_close_matches(error.backend, discovery.names(), n=3) if unknown else []
    hint = f"did you mean {' or '.join(near)}? Or {error.hint}" if near else error.hint
    return Finding("wrong", "name", f"{error.backend!r}: {error.problem}", hint)


# importing ----------------------------------------------------------------------------------------


def _file_of(module: str) -> str:
    """Where a module lies, without importing it: that may be what fails."""
    try:
        spec = importlib.util.find_spec(module)
    except (ImportError, ValueError, AttributeError):
        return ""
    return "" if spec is None else spec.origin or ""


def _failed_import(cause: BaseException, module: str, who: str) -> Finding:
    hint = _where(cause)
    if isinstance(cause, ModuleNotFoundError) and cause.name:
        missing = cause.name.partition(".")[0]
        if module == cause.name or module.startswith(cause.name + "."):
            hint = (
                f"{who} names a module that is not there: is it spelt as its file is, and was the "
                "distribution installed again after it changed?"
            )
        elif missing != module.partition(".")[0]:
            hint = f"{hint}; it needs another distribution: pip install {missing}"
    elif isinstance(cause, AttributeError) and not hint:
        hint = f"{who} names an attribute that its module does not have"
    return Finding("wrong", "import", f"of {module} failed: {_said(cause)}", hint)


def _said(error: BaseException) -> str:
    text = str(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _where(error: BaseException) -> str:
    """The innermost line of somebody else's code, where an error came from."""
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith("<frozen") and "/importlib/" not in frame.filename
    ]
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}:{error.lineno}: {(error.text or '').strip()}"
    if not frames or frames[-1].filename in _OUR_FILES:
        return ""
    return f"{frames[-1].filename}:{frames[-1].lineno}: {frames[-1].line}"


_OUR_FILES = (__file__, discovery.__file__)


# hooks --------------------------------------------------------------------------------------------


def _complaints_about_hooks(name: str, plugin: object) -> Iterator[Finding]:
    """What does not fit the contracts, hook by hook; and what lacks the mark of a kernel."""
    marked: set[str] = set()
    for hook, function, options in contracts.implementations(plugin):
        marked.add(hook)
        alone = SimpleNamespace(**{options.get("specname") or hook: function})
        try:
            contracts.check_plugin(name, getattr(plugin, "__name__", name), alone)
        except PluginError as error:
            yield Finding("wrong", "hook", error.problem, _hint_with_place(error.hint, function))
    if isinstance(plugin, ModuleType):
        for hook, function in vars(plugin).items():
            own = inspect.isfunction(function) and function.__module__ == plugin.__name__
            if own and hook in contracts.parameters and hook not in marked:
                problem = f"{hook} has the name of a contract but not the mark @kernel"
                yield Finding("note", "hook", problem, _hint_with_place("", function))


def _hint_with_place(hint: str, function: Any) -> str:
    code = getattr(inspect.unwrap(function), "__code__", None)
    place = f"{code.co_filename}:{code.co_firstlineno}" if code else ""
    return "; ".join(filter(None, [place, hint]))


def _plugin_alone(name: str, plugin: object) -> Finding:
    hooks = sorted(hook for hook, _, _ in contracts.implementations(plugin))
    if not hooks:
        return Finding(
            "wrong",
            "manifest",
            "it has no plugrad_manifest, so it is no backend, and no other hook either",
            "mark its functions with @plugrad.hooks.kernel",
        )
    found = f"no plugrad_manifest: not a backend but a plugin, with {', '.join(hooks)}"
    return Finding("ok", "plugin", found, f"plugrad.backends.enable({name!r}) switches it on")


# the backend --------------------------------------------------------------------------------------


def _examine_manifest(name: str, manifest: Manifest) -> Iterator[Finding]:
    spoken = " and ".join(map(str, ACCEPTED_CONTRACTS))
    right = manifest.contract in ACCEPTED_CONTRACTS
    found = f"{manifest.contract}; spoken here: {spoken}"
    newer = manifest.contract > max(ACCEPTED_CONTRACTS)
    hint = "" if right else "upgrade plugrad" if newer else "upgrade the backend"
    yield Finding("ok" if right else "wrong", "contract", found, hint)
    if manifest.name != name:
        yield Finding(
            "wrong",
            "manifest",
            f"it says {manifest.name!r}, the entry point {name!r}",
            "give both the same name: it is the device's",
        )
    if manifest.builds_on:
        state = backend_state(manifest.builds_on)
        usable = state.condition == "ready"
        found = manifest.builds_on if usable else f"{manifest.builds_on}: {state.condition}"
        yield Finding("ok" if usable else "wrong", "builds on", found, state.reason)
    for module in manifest.modules:
        try:
            kernels = importlib.import_module(module)
        except (Exception, SystemExit) as error:
            yield _failed_import(error, module, "the manifest")
        else:
            yield from _complaints_about_hooks(name, kernels)


def _examine_loaded(name: str, manifest: Manifest) -> Iterator[Finding]:
    state = backend_state(name)
    if state.condition not in ("ready", "no device"):
        yield Finding("wrong", "loading", f"{state.condition}: {state.reason}")
        return
    loaded = backend(name)
    yield from _services(loaded)
    yield from _kernels(loaded)
    yield Finding("ok", "dtypes", ", ".join(dtype.name for dtype in manifest.dtypes))
    if state.condition == "no device":
        yield Finding("wrong", "devices", f"none: {state.reason}")
        return
    yield Finding("ok", "devices", f"{len(state.devices)}: {', '.join(state.devices)}")
    yield _smoke_test(state)


def _services(loaded: Backend) -> Iterator[Finding]:
    names = [name for name in vars(Services) if name in contracts.parameters]
    # What the reference does without is not asked of others, nor threads of one that has none; but
    # devices with numbers are asked for them.
    needed = [name for name in names if backend(REFERENCE).resolve(name) and name not in _THREADS]
    needed += ["array_index"] * loaded.manifest.numbered
    missing = [name for name in needed if not loaded.resolve(name)]
    if missing:
        yield Finding(
            "wrong",
            "services",
            f"missing: {', '.join(missing)}",
            "implement them (plugrad/hooks.py says what they do), or build on another backend",
        )
    else:
        yield Finding("ok", "services", f"{len(needed)} of {len(needed)}")


def _kernels(loaded: Backend) -> Iterator[Finding]:
    families: Counter[str] = Counter()
    inherited: Counter[str] = Counter()
    missing: list[str] = []
    own = {loaded.name, *loaded.manifest.modules}
    for name in contracts.operators:
        hooks = [h for h in loaded.answering(name) if not (h.wrapper or h.hookwrapper)]
        first = next((hook.plugin_name for hook in hooks if hook.plugin_name != BODIES), None)
        if first is None:
            missing += [name] * (operators[name].body is None)
        elif first in own:
            families[operators[name].function.__module__.rpartition(".")[2]] += 1
        else:
            inherited[loaded.origins[first]] += 1
    each = ", ".join(f"{family} {count}" for family, count in families.most_common())
    total = sum(families.values())
    yield Finding("ok", "kernels", f"{total} of {len(contracts.operators)} operators: {each}")
    for origin, count in inherited.items():
        yield Finding("ok", "kernels", f"{count} more from {origin}")
    if missing:
        problem = f"none for {', '.join(missing)}, which {_have(missing)} no body"
        yield Finding("wrong", "kernels", problem, "such calls raise UnsupportedError")


def _have(names: list[str]) -> str:
    return "has" if len(names) == 1 else "have"


def _smoke_test(state: BackendState) -> Finding:
    """Three lines in a process of their own, which a kernel may take down."""
    lines = [line.format(device=state.devices[0]) for line in _SMOKE_TEST]
    program = "\n".join(["import plugrad as pg", *lines])
    shown = f"\n{'':21}".join(lines)
    try:
        done = subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Finding("wrong", "smoke test", shown, f"no answer within {_SECONDS} s")
    if done.returncode < 0:
        return Finding("wrong", "smoke test", shown, f"ended by signal {-done.returncode}")
    last = (done.stderr if done.returncode else done.stdout).strip().rpartition("\n")[2]
    if done.returncode or last != _SMOKE_RESULT:
        wanted = "" if done.returncode else f", expected {_SMOKE_RESULT}"
        return Finding("wrong", "smoke test", shown, f"{last}{wanted}")
    return Finding("ok", "smoke test", shown, f"# {last}")
