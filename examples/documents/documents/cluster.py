"""Step 4: groups of vectors that lie together: k-means on the sphere, from k-means++ seeds.

(Arthur and Vassilvitskii, "k-means++: The Advantages of Careful Seeding", 2007; Dhillon and Modha,
"Concept Decompositions for Large Sparse Text Data using Clustering", 2001.)
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from documents import files

TURNS_MAX = 50
NEAREST = 5


def cluster(paths: list[str], rows: list[int], count: int, seed: int = 7) -> dict[str, object]:
    """Writes clusters.jsonl; gives for each group its size and the documents nearest its middle.

    The vector of document n is row `rows[n]` of the file `paths[n]`.
    """
    kept = {path: Path(path).read_text(encoding="utf-8").splitlines() for path in set(paths)}
    vectors = [json.loads(kept[path][row]) for path, row in zip(paths, rows)]
    points = np.array(vectors, dtype=np.float32)
    documents = files.read_lines("clean.jsonl")
    group = assign(points, count, np.random.default_rng(seed))
    places = flat(points)
    files.write_lines(
        "clusters.jsonl",
        [
            {"name": it["name"], "field": it["field"], "group": int(g), "place": place}
            for it, g, place in zip(documents, group, places)
        ],
    )
    groups = []
    for number in range(count):
        members = np.flatnonzero(group == number)
        middle = points[members].mean(0)
        nearest = members[np.argsort(-(points[members] @ middle))[:NEAREST]]
        samples = [documents[int(i)]["text"][:200] for i in nearest]
        groups.append({"number": number, "size": int(len(members)), "samples": samples})
    return {"groups": groups}


def assign(points: np.ndarray, count: int, chance: np.random.Generator) -> np.ndarray:
    """The group of each point; no group is empty."""
    middles = [points[chance.integers(len(points))]]
    while len(middles) < count:
        away = np.clip(1 - (points @ np.array(middles).T).max(1), 0, None)
        middles.append(points[chance.choice(len(points), p=away / away.sum())])
    means = np.array(middles)
    group = np.full(len(points), -1)
    for _ in range(TURNS_MAX):
        likeness = points @ means.T
        fresh = likeness.argmax(1)
        for number in range(count):
            if not (fresh == number).any():
                fresh[likeness.max(1).argmin()] = number
        if (fresh == group).all():
            break
        group = fresh
        means = np.array([points[group == number].mean(0) for number in range(count)])
        means /= np.linalg.norm(means, axis=1, keepdims=True)
    return group


def flat(points: np.ndarray) -> list[list[float]]:
    """Where each point lies on a map: its two largest principal components, from 0 to 1."""
    centred = points - points.mean(0)
    _, axes = np.linalg.eigh(centred.T @ centred)
    plane = centred @ axes[:, :-3:-1]
    low, high = plane.min(0), plane.max(0)
    return [[round(float(x), 4) for x in row] for row in (plane - low) / (high - low)]
