"""Step 3: vectors. A function that is handed many documents at a time, in a warm process."""

from __future__ import annotations

import hashlib
from functools import lru_cache

from documents import files
from documents.minilm import model


def embed(items: list[int]) -> list[dict[str, object]]:
    """Embeds documents, by their places in clean.jsonl; says where the vector of each is kept."""
    documents = texts()
    vectors = model().embed([documents[item] for item in items])
    # The same items give the same file, however often they are tried.
    digest = hashlib.sha256(",".join(map(str, items)).encode()).hexdigest()
    rows = [[round(float(number), 5) for number in vector] for vector in vectors]
    path = files.write_lines(f"vectors/{digest[:16]}.jsonl", rows)
    return [{"file": str(path), "row": row} for row in range(len(items))]


@lru_cache(maxsize=1)
def texts() -> list[str]:
    """All texts, read once a process."""
    return [it["text"] for it in files.read_lines("clean.jsonl")]
