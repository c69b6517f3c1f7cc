"""Nearest neighbours: the training images that look most like this one vote.

The setting is how many of them vote. A near one counts more than a far one: its vote weighs one
over the square of its distance.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import dist
from typing import Any

from digits.samples import DIGITS

# Keeps the vote of an identical image finite, and far above all others.
DISTANCE_MIN = 1e-3


def fit(setting: float, images: Sequence[Sequence[float]], labels: Sequence[int]) -> dict[str, Any]:
    """There is nothing to learn: the model is the training images."""
    return {"voters": max(1, int(setting)), "images": images, "labels": labels}


def predict(state: dict[str, Any], image: Sequence[float]) -> int:
    """The digit with the heaviest vote; the lower one of equals."""
    distances = [dist(image, other) for other in state["images"]]
    ranked = sorted(zip(distances, state["labels"]))
    votes = [0.0 for _ in DIGITS]
    for distance, digit in ranked[: state["voters"]]:
        votes[digit] += 1 / max(distance, DISTANCE_MIN) ** 2
    return votes.index(max(votes))
