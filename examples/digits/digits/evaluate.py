"""Step 6: the trained classifier on images that no classifier has seen.

Writes evaluation.json with the confusion matrix (a row for what an image is, a column for what
it was read as) and every image that was misread. Fails when too few are right.
"""

from __future__ import annotations

import argparse

from digits import models, results, samples


def main() -> None:
    """Reads every held-out image once; the file is written before the verdict, for a look at it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--accuracy-min", type=float, required=True)
    accuracy_min = parser.parse_args().accuracy_min

    model = results.read_json("model.json")
    test = samples.read(samples.test_path())
    confusion = [[0 for _ in samples.DIGITS] for _ in samples.DIGITS]
    mistakes = []
    for row in test:
        said = models.predict(model, samples.image(row))
        confusion[row.digit][said] += 1
        if said != row.digit:
            mistakes.append({"is": row.digit, "read_as": said, "pixels": row.pixels})

    right = len(test) - len(mistakes)
    accuracy = right / len(test)
    facts = {
        "model": model["model"],
        "setting": model["setting"],
        "accuracy": round(accuracy, 4),
        "right": right,
        "wrong": len(mistakes),
    }
    results.write_json("evaluation.json", {**facts, "confusion": confusion, "mistakes": mistakes})
    results.publish(**facts)
    if accuracy < accuracy_min:
        results.fail(
            f"{right} of {len(test)} held-out images were read correctly: accuracy {accuracy:.4f} "
            f"is below the {accuracy_min} that this run asks for (parameter accuracy_min)"
        )


if __name__ == "__main__":
    main()
