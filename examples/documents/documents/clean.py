"""Step 2: one line of plain words each. Writes clean.jsonl, in the order of raw.jsonl."""

from __future__ import annotations

import re

from documents import files

WORDS_MAX = 60
# Examples of the interpreter and lines that are only drawn.
NOISE = re.compile(r"^\s*(>>>|\.\.\.|[-=+*~^|]{3,}).*$", re.MULTILINE)


def main() -> None:
    """Cleans all documents; empty ones keep their place with their name as text."""
    cleaned = [
        {"name": it["name"], "field": it["field"], "text": plain(it["text"]) or it["name"]}
        for it in files.read_lines("raw.jsonl")
    ]
    files.write_lines("clean.jsonl", cleaned)
    print(f"{sum(len(it['text'].split()) for it in cleaned)} words in {len(cleaned)} documents")


def plain(text: str) -> str:
    """A text without examples and drawings, in one line."""
    words = NOISE.sub(" ", text).split()
    return " ".join(words[:WORDS_MAX])


if __name__ == "__main__":
    main()
