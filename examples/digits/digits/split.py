"""Step 2: hold images out for the very end, and deal the others into folds.

Each digit is split by itself, so that every part has the balance of the whole. The same seed
gives the same files. Writes test.csv, fold-1.csv ... and split.json.
"""

from __future__ import annotations

import argparse
import random
from pathlib import Path

from digits import results, samples


def main() -> None:
    """Shuffles, cuts, deals, writes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--folds", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--test-share", type=float, required=True)
    args = parser.parse_args()
    if args.folds < 2:
        results.fail(f"--folds {args.folds}: cross-validation needs at least 2")
    if not 0.05 <= args.test_share <= 0.5:
        results.fail(f"--test-share {args.test_share}: must be between 0.05 and 0.5")

    shuffler = random.Random(args.seed)
    test: list[samples.Sample] = []
    rest: list[samples.Sample] = []
    rows = samples.read(args.data)
    for digit in samples.DIGITS:
        same = [row for row in rows if row.digit == digit]
        shuffler.shuffle(same)
        cut = round(len(same) * args.test_share)
        test += same[:cut]
        rest += same[cut:]

    # Dealt digit by digit, each fold gets its share of every digit; then mixed, because the
    # perceptron and softmax regression learn badly from rows that come sorted.
    folds = [rest[start :: args.folds] for start in range(args.folds)]
    samples.write(samples.test_path(), test)
    for number, fold in enumerate(folds, start=1):
        shuffler.shuffle(fold)
        samples.write(samples.fold_path(number), fold)

    sizes = {"test": len(test), "folds": [len(fold) for fold in folds]}
    results.write_json("split.json", sizes)
    results.publish(**sizes)


if __name__ == "__main__":
    main()
