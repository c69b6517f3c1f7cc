"""Step 1: is the data what we think it is? Its shape, the range of its values, its balance.

Writes check.json, which the report quotes.
"""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

from digits import results, samples

# With ten digits a tenth each would be even; a data set that strays further than this has
# probably lost a part of itself on the way here.
CLASS_SHARE_MIN = 0.08
CLASS_SHARE_MAX = 0.12


def main() -> None:
    """Reads the data once and stops at the first thing that is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    data = parser.parse_args().data

    rows = samples.read(data)
    if not rows:
        results.fail(f"{data}: no images in it")
    check_ranges(data, rows)
    counts = check_balance(data, rows)

    facts = {
        "rows": len(rows),
        "pixels": samples.PIXELS,
        "smallest_class": min(counts),
        "largest_class": max(counts),
        "duplicates": len(rows) - len({row.pixels for row in rows}),
    }
    results.write_json("check.json", {**facts, "counts": counts})
    results.publish(**facts)


def check_ranges(data: Path, rows: list[samples.Sample]) -> None:
    """Every pixel and every digit is one that can be."""
    for number, row in enumerate(rows, start=1):
        if row.digit not in samples.DIGITS:
            results.fail(f"{data}:{number}: digit {row.digit} is not between 0 and 9")
        for pixel in row.pixels:
            if not 0 <= pixel <= samples.INK_MAX:
                results.fail(
                    f"{data}:{number}: pixel {pixel} is not between 0 and {samples.INK_MAX}"
                )


def check_balance(data: Path, rows: list[samples.Sample]) -> list[int]:
    """How many images each digit has; no digit may be rare or dominate."""
    found = Counter(row.digit for row in rows)
    counts = [found[digit] for digit in samples.DIGITS]
    for digit, count in enumerate(counts):
        if not CLASS_SHARE_MIN * len(rows) <= count <= CLASS_SHARE_MAX * len(rows):
            results.fail(
                f"{data}: digit {digit} has {count} of {len(rows)} images; expected between "
                f"{CLASS_SHARE_MIN:.0%} and {CLASS_SHARE_MAX:.0%}"
            )
    return counts


if __name__ == "__main__":
    main()
