"""Softmax regression: one weight a pixel and digit, learned by stochastic gradient descent.

The setting is the learning rate: how far one image moves the weights.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from math import exp
from operator import mul
from typing import Any

from digits.samples import DIGITS

PASSES = 20
# A gradient below this moves no decision; leaving it out halves the work.
GRADIENT_MIN = 1e-3


def fit(setting: float, images: Sequence[Sequence[float]], labels: Sequence[int]) -> dict[str, Any]:
    """Goes over the images a fixed number of times, each time in another order."""
    inputs = [(*image, 1.0) for image in images]
    weights = [[0.0] * len(inputs[0]) for _ in DIGITS]
    order = list(range(len(inputs)))
    shuffler = random.Random(1)
    for _ in range(PASSES):
        shuffler.shuffle(order)
        for i in order:
            chances = probabilities(scores(weights, inputs[i]))
            for digit in DIGITS:
                gradient = (digit == labels[i]) - chances[digit]
                if abs(gradient) > GRADIENT_MIN:
                    step = setting * gradient
                    weights[digit] = [w + step * x for w, x in zip(weights[digit], inputs[i])]
    return {"weights": weights}


def predict(state: dict[str, Any], image: Sequence[float]) -> int:
    """The most probable digit."""
    found = scores(state["weights"], (*image, 1.0))
    return found.index(max(found))


def scores(weights: list[list[float]], inputs: Sequence[float]) -> list[float]:
    """How strongly each digit claims the image, on a scale without bounds."""
    return [sum(map(mul, row, inputs)) for row in weights]


def probabilities(claims: list[float]) -> list[float]:
    """The same claims as shares of one; the largest is taken off first, so that exp is safe."""
    highest = max(claims)
    powers = [exp(claim - highest) for claim in claims]
    total = sum(powers)
    return [power / total for power in powers]
