"""Step 7: report.md, with confusion.svg and mistakes.svg beside it.

It says only what the earlier steps wrote down; nothing is computed twice and nothing is dated,
so that the same run gives the same report.
"""

from __future__ import annotations

from math import sqrt
from typing import Any

from digits import figures, results


def main() -> None:
    """Writes the figures first, so that a report never points at a missing one."""
    checked = results.read_json("check.json")
    sizes = results.read_json("split.json")
    board = results.read_json("leaderboard.json")
    evaluation = results.read_json("evaluation.json")

    folder = results.folder()
    results.write_text(folder / "confusion.svg", figures.confusion_matrix(evaluation["confusion"]))
    results.write_text(folder / "mistakes.svg", figures.gallery(evaluation["mistakes"]))
    sections = [
        summary(evaluation),
        confusion(evaluation),
        candidates(board, evaluation),
        data(checked, sizes),
    ]
    results.write_text(folder / "report.md", "\n\n".join(sections) + "\n")
    results.publish(report=str(folder / "report.md"), accuracy=evaluation["accuracy"])


def summary(evaluation: dict[str, Any]) -> str:
    """The one number that a reader came for, and how far to trust it."""
    right, wrong = evaluation["right"], evaluation["wrong"]
    total = right + wrong
    low, high = interval(right, total)
    model, setting = evaluation["model"], evaluation["setting"]
    return f"""# Handwritten digits

**{right / total:.1%}** of the {total} held-out images were read correctly: {right} right,
{wrong} wrong. For images like these the accuracy lies between {low:.1%} and {high:.1%}, with 95%
confidence (Wilson interval). All parts come from the same writers; expect less of a new hand.

The classifier is **{model}** with setting **{setting}**, the best of the candidates below,
trained on all images that were not held out."""


def confusion(evaluation: dict[str, Any]) -> str:
    """Both figures, with a text for readers who cannot see them."""
    worst = "no image was misread"
    pairs = [
        (count, is_digit, read_as)
        for is_digit, row in enumerate(evaluation["confusion"])
        for read_as, count in enumerate(row)
        if is_digit != read_as and count
    ]
    if pairs:
        count, is_digit, read_as = max(pairs)
        often = "once" if count == 1 else f"{count} times"
        worst = f"the commonest mistake is a {is_digit} read as {read_as}, {often}"
    return f"""## Where it errs

![Confusion matrix of the held-out images; {worst}](confusion.svg)

Recall: of all images of a digit, the share that was read as it. Precision: of all images read as a
digit, the share that is it.

![The misread images](mistakes.svg)"""


def candidates(board: list[dict[str, Any]], evaluation: dict[str, Any]) -> str:
    """Every classifier that was scored, best first, the chosen one in bold."""
    chosen = (evaluation["model"], evaluation["setting"])
    lines = []
    for entry in board:
        cells = [
            entry["model"],
            str(entry["setting"]),
            f"{entry['mean']:.2%}",
            f"{entry['lowest']:.2%}",
            f"{entry['highest']:.2%}",
        ]
        if (entry["model"], entry["setting"]) == chosen:
            cells = [f"**{cell}**" for cell in cells]
        lines.append(f"| {' | '.join(cells)} |")
    rows = "\n".join(lines)
    return f"""## The candidates

Accuracy on the fold that each was not trained on.

| model | setting | mean | worst fold | best fold |
|---|--:|--:|--:|--:|
{rows}"""


def data(checked: dict[str, Any], sizes: dict[str, Any]) -> str:
    """What it was learned from, with the citation that the licence of the data asks for."""
    folds = " + ".join(map(str, sizes["folds"]))
    copies = checked["duplicates"] or "none"
    digits = " | ".join(map(str, range(10)))
    counts = " | ".join(map(str, checked["counts"]))
    return f"""## The data

{checked["rows"]:,} images of {checked["pixels"]} pixels, {copies} of them a copy of another.
{sizes["test"]} were held out; the others are {len(sizes["folds"])} folds ({folds}).

| digit | {digits} |
|---|{"--:|" * 10}
| images | {counts} |

E. Alpaydin and C. Kaynak (1998), *Optical Recognition of Handwritten Digits*, UCI Machine Learning
Repository, <https://doi.org/10.24432/C50P49>, licensed under
[CC BY 4.0](https://creativecommons.org/licenses/by/4.0/)."""


def interval(right: int, total: int) -> tuple[float, float]:
    """Wilson's 95 % interval for a share."""
    z = 1.96
    share = right / total
    centre = share + z * z / (2 * total)
    reach = z * sqrt(share * (1 - share) / total + z * z / (4 * total * total))
    return (centre - reach) / (1 + z * z / total), (centre + reach) / (1 + z * z / total)


if __name__ == "__main__":
    main()
