"""Everything that a step writes: whole or not at all."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

OUT = Path(os.environ.get("DOCUMENTS_OUT", "out"))


def write(name: str, text: str) -> Path:
    """Writes a file of the out folder: to a name of its own first, then in one step."""
    path = OUT / name
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.write_text(text, encoding="utf-8")
    os.replace(fresh, path)
    return path


def write_lines(name: str, values: list[Any]) -> Path:
    """Writes values as JSON lines."""
    return write(name, "".join(json.dumps(value, ensure_ascii=False) + "\n" for value in values))


def read_lines(name: str) -> list[Any]:
    """What `write_lines` wrote."""
    text = (OUT / name).read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]
