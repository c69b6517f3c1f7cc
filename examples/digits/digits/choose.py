"""Step 4: the classifier with the best mean accuracy over the folds.

The scores come as three lists of one length, an entry a scored fold, in the environment: MODELS,
SETTINGS and ACCURACIES. Writes leaderboard.json, best first.
"""

from __future__ import annotations

import json
import os
from statistics import fmean
from typing import Any

from digits import results


def main() -> None:
    """Groups the scores by classifier and sorts them; of equals the earlier one wins."""
    scores: dict[tuple[str, float], list[float]] = {}
    for model, setting, accuracy in zip(*map(read_list, ("MODELS", "SETTINGS", "ACCURACIES"))):
        scores.setdefault((model, setting), []).append(accuracy)
    if not scores:
        results.fail("there are no scores to choose from")

    board: list[dict[str, Any]] = [
        {
            "model": model,
            "setting": setting,
            "mean": round(fmean(accuracies), 4),
            "lowest": min(accuracies),
            "highest": max(accuracies),
        }
        for (model, setting), accuracies in scores.items()
    ]
    board.sort(key=lambda entry: entry["mean"], reverse=True)
    results.write_json("leaderboard.json", board)
    best = board[0]
    results.publish(model=best["model"], setting=best["setting"], accuracy=best["mean"])


def read_list(variable: str) -> list[Any]:
    """A JSON list from the environment."""
    value = json.loads(os.environ.get(variable, "null"))
    if not isinstance(value, list):
        results.fail(f"${variable} must hold a JSON list")
    return value


if __name__ == "__main__":
    main()
