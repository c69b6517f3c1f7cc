"""Helpers for the inside of a task: who it is, and how far it is.

They work in functions and in scripts alike, and do nothing harmful outside of a run.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Optional


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


def progress(done: float, total: Optional[float] = None, note: str = "") -> None:
    """Writes how far the task is into its log, at once."""
    share = f"{done:g}" if total is None else f"{done:g}/{total:g}"
    print(f"progress: {share} {note}".rstrip(), file=sys.stderr, flush=True)
