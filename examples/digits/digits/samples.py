"""Images of digits, and the comma-separated files that hold them.

A line is one sample: 64 pixels of an 8x8 image, row by row, then the digit that it shows.
Reading refuses a line of another form; whether the values make sense is for `check` to say.
"""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import NamedTuple

from digits import results

SIDE = 8
PIXELS = SIDE * SIDE
INK_MAX = 16
DIGITS = range(10)


class Sample(NamedTuple):
    """One image, as it stands in the file."""

    pixels: tuple[int, ...]
    digit: int


def read(path: Path) -> list[Sample]:
    """All samples of a file, which may be gzipped."""
    opened = gzip.open if path.suffix == ".gz" else open
    try:
        with opened(path, "rt", encoding="ascii") as lines:
            return [parse(line, f"{path}:{number}") for number, line in enumerate(lines, start=1)]
    except (OSError, EOFError, UnicodeDecodeError) as error:
        results.fail(f"{path}: {error}")


def parse(line: str, place: str) -> Sample:
    """The sample on one line; `place` is where the line stands, for the message."""
    try:
        values = [int(field) for field in line.split(",")]
    except ValueError:
        results.fail(f"{place}: expected whole numbers with commas between them")
    if len(values) != PIXELS + 1:
        results.fail(f"{place}: expected {PIXELS} pixels and a digit, found {len(values)} values")
    return Sample(tuple(values[:PIXELS]), values[PIXELS])


def write(path: Path, samples: list[Sample]) -> None:
    """Replaces the file by these samples."""
    lines = (",".join(map(str, (*sample.pixels, sample.digit))) for sample in samples)
    results.write_text(path, "".join(f"{line}\n" for line in lines))


def fold_path(fold: int) -> Path:
    """Where `split` puts a fold; folds count from 1."""
    return results.folder() / f"fold-{fold}.csv"


def test_path() -> Path:
    """Where `split` puts the images that are held out."""
    return results.folder() / "test.csv"


def image(sample: Sample) -> tuple[float, ...]:
    """The pixels as a classifier wants them: from 0 (paper) to 1 (ink)."""
    return tuple(pixel / INK_MAX for pixel in sample.pixels)


def images_and_labels(samples: list[Sample]) -> tuple[list[tuple[float, ...]], list[int]]:
    """The two lists that every classifier learns from."""
    return [image(sample) for sample in samples], [sample.digit for sample in samples]
