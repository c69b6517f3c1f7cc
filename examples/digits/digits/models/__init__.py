"""The classifiers, behind two functions: `fit` learns a model, `predict` reads an image with it.

Every family is a module with `fit(setting, images, labels) -> state` and `predict(state, image)
-> digit`, where the state is plain JSON. A family has one setting, a number; what it means is
written at the top of its module.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from digits.models import nearest, perceptron, softmax

FAMILIES = {"nearest": nearest, "softmax": softmax, "perceptron": perceptron}


def setting(text: str) -> int | float:
    """A setting from the command line; a whole number stays one, so that it prints as it came."""
    number = float(text)
    return int(number) if number.is_integer() else number


def fit(
    family: str, setting: float, images: Sequence[Sequence[float]], labels: Sequence[int]
) -> dict[str, Any]:
    """A model that can be written as JSON and carries the name of its family."""
    state = FAMILIES[family].fit(setting, images, labels)
    return {"model": family, "setting": setting, "state": state}


def predict(model: dict[str, Any], image: Sequence[float]) -> int:
    """The digit that the model reads in an image."""
    return FAMILIES[model["model"]].predict(model["state"], image)
