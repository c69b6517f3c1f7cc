"""Step 3, many times: one classifier, trained on all folds but one and judged on that one.

Writes no file: its outputs are all that later steps need, so that any number of these may run
at once.
"""

from __future__ import annotations

import argparse
import time

from digits import models, results, samples


def main() -> None:
    """Trains, counts what is right, publishes the share."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", choices=sorted(models.FAMILIES), required=True)
    parser.add_argument("--setting", type=models.setting, required=True)
    parser.add_argument("--fold", type=int, required=True, help="the fold to judge on, from 1")
    args = parser.parse_args()

    folds = range(1, len(results.read_json("split.json")["folds"]) + 1)
    if args.fold not in folds:
        results.fail(f"--fold {args.fold}: there are folds 1 to {len(folds)}")
    others = [samples.read(samples.fold_path(fold)) for fold in folds if fold != args.fold]
    judged = samples.read(samples.fold_path(args.fold))

    began = time.monotonic()
    images, labels = samples.images_and_labels([row for fold in others for row in fold])
    model = models.fit(args.model, args.setting, images, labels)
    right = sum(models.predict(model, samples.image(row)) == row.digit for row in judged)
    results.publish(
        model=args.model,
        setting=args.setting,
        fold=args.fold,
        accuracy=round(right / len(judged), 4),
        seconds=round(time.monotonic() - began, 2),
    )


if __name__ == "__main__":
    main()
