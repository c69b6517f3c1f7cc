"""Everything a step leaves behind: files, outputs, and the message with which it fails.

A file appears whole or not at all: it is written beside its place, flushed to disk, and renamed.
A step that is killed leaves the old file or the new one, never half of one; and when a step has
ended well its files survive a power cut, because nothing will run it again.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any, NoReturn


def folder() -> Path:
    """The folder for all files of a run, from $DIGITS_OUT; made if it is not there."""
    path = Path(os.environ.get("DIGITS_OUT", "out"))
    path.mkdir(parents=True, exist_ok=True)
    return path


def write_text(path: Path, text: str) -> None:
    """Replaces the file by this text, in one step.

    The partial file has a fixed name, so that what a killed step leaves is overwritten by the
    next try. Two runs at once therefore need two out folders.
    """
    partial = path.with_name(f".{path.name}.partial")
    with open(partial, "w", encoding="utf-8", newline="\n") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(partial, path)
    names = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(names)
    finally:
        os.close(names)


def write_json(name: str, value: Any) -> None:
    """Replaces a JSON file of the out folder."""
    write_text(folder() / name, json.dumps(value) + "\n")


def read_json(name: str) -> Any:
    """A JSON file that an earlier step left in the out folder."""
    path = folder() / name
    if not path.is_file():
        fail(f"{path}: no such file; the step that writes it comes before this one")
    return json.loads(path.read_text(encoding="utf-8"))


def publish(**outputs: Any) -> None:
    """Hands outputs to the tasks that come after, and shows them in this task's log."""
    text = json.dumps(outputs)
    print(text)
    if "AUTOGLM_OUTPUT" in os.environ:
        Path(os.environ["AUTOGLM_OUTPUT"]).write_text(text + "\n", encoding="utf-8")


def fail(message: str) -> NoReturn:
    """Ends the task as failed."""
    sys.exit(f"error: {message}")
