"""Kernel perceptron: it remembers the training images that it found hard.

Each digit claims an image: more strongly the more it is like remembered images of that digit,
less strongly the more it is like those that were nearly taken for it. Likeness is
exp(-setting * distance squared): the setting is how quickly it fades.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import dist, exp
from typing import Any

from digits.samples import DIGITS

PASSES_MAX = 20
# An image is easy when its own digit claims it more strongly than any other, by this much.
MARGIN = 1.0


def fit(setting: float, images: Sequence[Sequence[float]], labels: Sequence[int]) -> dict[str, Any]:
    """Goes over the images until all are easy, or the passes are used up."""
    # claims[d][i]: how strongly digit d claims image i. Kept up to date with each memory, so that
    # reading a training image is a look-up.
    claims = [[0.0] * len(images) for _ in DIGITS]
    likenesses: dict[int, list[float]] = {}
    remembered: dict[int, list[int]] = {}
    for _ in range(PASSES_MAX):
        hard = 0
        for i, digit in enumerate(labels):
            rival = max((d for d in DIGITS if d != digit), key=lambda d: claims[d][i])
            if claims[digit][i] - claims[rival][i] >= MARGIN:
                continue
            hard += 1
            if i not in likenesses:
                likenesses[i] = [likeness(setting, images[i], other) for other in images]
                remembered[i] = [0 for _ in DIGITS]
            for claimant, change in ((digit, 1), (rival, -1)):
                remembered[i][claimant] += change
                claims[claimant] = [
                    claim + change * alike for claim, alike in zip(claims[claimant], likenesses[i])
                ]
        if hard == 0:
            break
    return {
        "fading": setting,
        "remembered": [[images[i], changes] for i, changes in remembered.items()],
    }


def predict(state: dict[str, Any], image: Sequence[float]) -> int:
    """The digit with the strongest claim."""
    claims = [0.0 for _ in DIGITS]
    for other, changes in state["remembered"]:
        alike = likeness(state["fading"], image, other)
        for digit, change in enumerate(changes):
            if change:
                claims[digit] += change * alike
    return claims.index(max(claims))


def likeness(fading: float, one: Sequence[float], other: Sequence[float]) -> float:
    """From 1 (the same image) down towards 0."""
    return exp(-fading * dist(one, other) ** 2)
