"""Helpers for the inside of a task: who it is, how far it is, what it puts out, that it lives.

They work in functions and in scripts alike, and do nothing outside of a run.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Mapping, Optional

#: What the process of a function is known by to the code that it calls.
RUNNER = "autoglm_runner"


@dataclass(frozen=True)
class Attempt:
    """The attempt that this code is."""

    run: int
    task: str
    item: int
    attempt: int
    #: Ascends with every attempt of the item: hand it to whatever must refuse an older one.
    token: int
    #: The item's own folder, which later attempts of it find again.
    folder: Path


def current() -> Optional[Attempt]:
    """The attempt that this code is; nothing outside of a run."""
    if "AUTOGLM_RUN_ID" not in os.environ:
        return None
    folder = Path(os.environ["AUTOGLM_WORKDIR"])
    folder.mkdir(parents=True, exist_ok=True)
    return Attempt(
        run=int(os.environ["AUTOGLM_RUN_ID"]),
        task=os.environ["AUTOGLM_TASK"],
        item=int(os.environ["AUTOGLM_ITEM"]),
        attempt=int(os.environ["AUTOGLM_ATTEMPT"]),
        token=int(os.environ["AUTOGLM_TOKEN"]),
        folder=folder,
    )


def progress(done: float, total: Optional[float] = None, message: Optional[str] = None) -> None:
    """Writes how far the task is into its log, at once. That is a sign of life, too."""
    share = f"{done:g}" if total is None else f"{done:g}/{total:g}"
    print(f"progress: {share} {message or ''}".rstrip(), file=sys.stderr, flush=True)


def heartbeat() -> None:
    """Says that the task lives, without a word in its log: for one that has a ``heartbeat``."""
    named = os.environ.get("AUTOGLM_HEARTBEAT")
    if named:
        Path(named).touch()


def checkpointed(note: Optional[str] = None) -> None:
    """Says that the task has saved its work: what it does from now on is lost if it has to begin anew.

    The note, one line of text or JSON, stands in the log of the task.
    """
    named = os.environ.get("AUTOGLM_CHECKPOINTS")
    if named:
        line = " ".join((note or "").split())
        with open(named, "a", encoding="utf-8") as file:
            file.write(line + "\n")


def outputs(**values: Any) -> None:
    """Adds outputs to those of the task, by name. What the function returns goes before them.

    They count if the attempt succeeds. A function with a ``batch`` returns them for each value.
    """
    runner = sys.modules.get(RUNNER)
    if runner is not None:
        runner.add_outputs(values)
    elif "AUTOGLM_OUTPUT" in os.environ:
        _write(Path(os.environ["AUTOGLM_OUTPUT"]), values)


def _write(file: Path, values: Mapping[str, Any]) -> None:
    """Puts outputs into the file of a script, beside what is there: as JSON, they keep their types."""
    text = file.read_text() if file.exists() else ""
    if text.lstrip().startswith("{"):
        known = json.loads(text)
    else:
        known = dict(line.split("=", 1) for line in text.splitlines() if line.strip())
    file.write_text(json.dumps({**known, **values}, allow_nan=False))
