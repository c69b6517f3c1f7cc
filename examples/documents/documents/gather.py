"""Step 1: documents. Every machine with Python has thousands: what its modules say of themselves.

Writes raw.jsonl: the name of a thing, the field it belongs to, and its text as it stands. Nothing
is imported: the sources are parsed.
"""

from __future__ import annotations

import argparse
import ast
import random
import sysconfig
from pathlib import Path
from typing import Iterator

from documents import files

# Parts of the standard library that are about one thing each, and what that is.
FIELDS = {
    "network": ["asyncio", "http", "urllib", "socketserver", "smtplib", "ftplib", "imaplib", "ssl"],
    "text": ["string", "textwrap", "re", "difflib", "html", "xml", "csv", "json", "email", "gettext"],
    "numbers": ["decimal", "fractions", "statistics", "random", "numbers", "_pydecimal", "colorsys"],
    "files": ["pathlib", "shutil", "tempfile", "zipfile", "tarfile", "glob", "os", "gzip", "mailbox"],
    "language": ["ast", "inspect", "dis", "tokenize", "typing", "importlib", "lib2to3", "pickletools"],
    "testing": ["unittest", "doctest", "pdb", "bdb", "trace", "profile", "pstats", "cProfile"],
    "processes": ["multiprocessing", "subprocess", "threading", "concurrent", "queue", "sched"],
    "windows": ["tkinter", "turtle", "idlelib", "curses"],
    "time": ["datetime", "calendar", "locale", "zoneinfo", "_strptime"],
}
CHARACTERS_MIN = 60


def main() -> None:
    """Writes as many documents as were asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--seed", type=int, default=7)
    asked = parser.parse_args()

    library = Path(sysconfig.get_path("stdlib"))
    found = [
        {"name": name, "field": field, "text": text}
        for field, modules in sorted(FIELDS.items())
        for module in modules
        for name, text in of_module(library, module)
    ]
    if len(found) < asked.count:
        raise SystemExit(f"only {len(found)} documents, and {asked.count} are asked for")
    random.Random(asked.seed).shuffle(found)
    files.write_lines("raw.jsonl", found[: asked.count])
    print(f"{asked.count} of {len(found)} documents")


def of_module(library: Path, module: str) -> Iterator[tuple[str, str]]:
    """The documents of a module or a package."""
    root = library / module
    sources = sorted(root.rglob("*.py")) if root.is_dir() else [library / f"{module}.py"]
    for source in sources:
        if {"test", "tests"} & set(source.parts) or not source.exists():
            continue
        try:
            tree = ast.parse(source.read_bytes())
        except SyntaxError:  # Some are there to be wrong.
            continue
        place = ".".join(source.relative_to(library).with_suffix("").parts)
        for node in ast.walk(tree):
            if isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef, ast.Module)):
                text = ast.get_docstring(node) or ""
                if len(text) >= CHARACTERS_MIN:
                    yield f"{place}.{getattr(node, 'name', '')}".rstrip("."), text


if __name__ == "__main__":
    main()
