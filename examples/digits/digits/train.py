"""Step 5: the chosen classifier, trained on all folds together.

Writes model.json: no code in it, only numbers, so that it can be read anywhere.
"""

from __future__ import annotations

import argparse

from digits import models, results, samples


def main() -> None:
    """Trains and writes; the images that were held out are not read here."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", choices=sorted(models.FAMILIES), required=True)
    parser.add_argument("--setting", type=models.setting, required=True)
    args = parser.parse_args()

    folds = range(1, len(results.read_json("split.json")["folds"]) + 1)
    rows = [row for fold in folds for row in samples.read(samples.fold_path(fold))]
    model = models.fit(args.model, args.setting, *samples.images_and_labels(rows))
    results.write_json("model.json", model)
    results.publish(model=args.model, setting=args.setting, rows=len(rows))


if __name__ == "__main__":
    main()
