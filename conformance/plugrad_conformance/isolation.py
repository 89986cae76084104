"""A kernel that ends or stops the process costs its row, not the run.

Questions run in pytest-xdist's workers. A worker that dies is replaced, and its question counts as
a crash; a question that takes too long is stopped by pytest-timeout if it runs Python code, and its
worker is ended from outside the interpreter if not. Then nothing more is asked about that row:
starting a worker takes seconds, and the row has its status.
"""

from __future__ import annotations

import faulthandler
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import final

#: Seconds that a question of each level may take, and one about an operator that has been too slow
#: before: then nothing needs compiling any more.
LIMITS = (60, 60, 60, 600, 300)
IMPATIENT = 10
_MOST_FRAMES = 9
_THREAD = re.compile(r"^(?=(?:Current t|T)hread 0x)", re.MULTILINE)


@final
class Scratch:
    """A folder that the controller and the workers of one run share: who has ended, and how."""

    def __init__(self, run: str) -> None:
        self.folder = Path(tempfile.gettempdir()) / f"plugrad-conformance-{run}"
        self._ended = self.folder / "ended"
        self._seen = 0
        self._rows: dict[str, str] = {}
        self._operators: set[str] = set()

    def note_end(self, subject: str, operator: str | None, how: str) -> None:
        """Write down that a question about this row ended its process, or was stopped."""
        self.folder.mkdir(exist_ok=True)
        with self._ended.open("a", encoding="utf-8") as file:
            file.write(f"{how}\t{operator or ''}\t{subject}\n")

    def how_ended(self, subject: str) -> str | None:
        """How a row's process ended, if it did."""
        self._refresh()
        return self._rows.get(subject)

    def was_slow(self, operator: str | None) -> bool:
        """Whether a question about the operator was stopped before."""
        self._refresh()
        return operator in self._operators

    def _refresh(self) -> None:
        try:
            size = self._ended.stat().st_size
        except OSError:
            return
        if size == self._seen:
            return
        self._seen = size
        for line in self._ended.read_text(encoding="utf-8").splitlines():
            how, operator, subject = line.split("\t", 2)
            self._rows[subject] = how
            if how == "timeout":
                self._operators.add(operator)

    def stacks_of(self, worker: str) -> Path:
        """Where a worker leaves its stacks when it ends before its time."""
        return self.folder / f"{worker}.stacks"

    def last_words(self, worker: str) -> str:
        """How a worker has ended, and the innermost frames of the thread that asked the question;
        empty if it left nothing.
        """
        try:
            text = self.stacks_of(worker).read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""
        head, *threads = _THREAD.split(text)
        # The one that asked is named the current one, or stands last.
        chosen = next((each for each in threads if each.startswith("Current")), threads[-1:])
        frames = "".join(chosen).partition("\n\n")[0].splitlines()
        return "\n".join([*head.splitlines()[:1], *frames[:_MOST_FRAMES]])

    def remove(self) -> None:
        """Delete the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)


@final
class Watchdog:
    """Ends the process from a thread that needs no interpreter, and says where the process was."""

    def __init__(self, file: Path) -> None:
        file.parent.mkdir(exist_ok=True)
        # A bare descriptor, open as long as the process lives: it is needed when that ends.
        self._file = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        faulthandler.enable(self._file)

    @contextmanager
    def guard(self, seconds: float) -> Iterator[None]:
        """Have the process end if the block takes longer."""
        faulthandler.dump_traceback_later(seconds, exit=True, file=self._file)
        try:
            yield
        finally:
            faulthandler.cancel_dump_traceback_later()


def is_timeout(last_words: str) -> bool:
    """Whether a worker was ended by its watchdog."""
    return last_words.startswith("Timeout (")
