"""Step 3: vectors. A function that is handed many documents at a time, in a warm process."""

from __future__ import annotations

from documents import files
from documents.minilm import model


def embed(items: list[int]) -> list[dict[str, list[float]]]:
    """The vectors of documents, by their places in clean.jsonl."""
    documents = texts()
    vectors = model().embed([documents[item] for item in items])
    return [{"vector": [round(float(x), 5) for x in vector]} for vector in vectors]


def texts() -> list[str]:
    """All texts, read once a process."""
    if not _TEXTS:
        _TEXTS.extend(it["text"] for it in files.read_lines("clean.jsonl"))
    return _TEXTS


_TEXTS: list[str] = []
