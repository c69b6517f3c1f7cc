"""Step 5: are the groups those of the fields that the documents come from?

The measure is normalised mutual information, 0 for chance and 1 for the very same groups (Strehl
and Ghosh, "Cluster Ensembles", 2002), beside the share of documents whose group is mostly of their
field.
"""

from __future__ import annotations

from collections import Counter
from math import log, sqrt
from typing import Hashable, Iterable

from documents import files


def evaluate() -> dict[str, float]:
    """Reads clusters.jsonl."""
    documents = files.read_lines("clusters.jsonl")
    pairs = [(it["group"], it["field"]) for it in documents]
    return {"information": round(shared(pairs), 4), "purity": round(purity(pairs), 4)}


def purity(pairs: list[tuple[Hashable, Hashable]]) -> float:
    """The share of documents that are of the most common field of their group."""
    groups: dict[Hashable, Counter[Hashable]] = {}
    for group, field in pairs:
        groups.setdefault(group, Counter())[field] += 1
    return sum(max(fields.values()) for fields in groups.values()) / len(pairs)


def shared(pairs: list[tuple[Hashable, Hashable]]) -> float:
    """What the group says of the field, as a share of what each says of itself."""
    count = len(pairs)
    left, right = Counter(a for a, _ in pairs), Counter(b for _, b in pairs)
    mutual = sum(
        n / count * log(n * count / (left[a] * right[b])) for (a, b), n in Counter(pairs).items()
    )
    whole = sqrt(entropy(left.values()) * entropy(right.values()))
    return mutual / whole if whole else 0.0


def entropy(counts: Iterable[int]) -> float:
    """The entropy of how often things are there, in nats."""
    counts = list(counts)
    total = sum(counts)
    return -sum(n / total * log(n / total) for n in counts)
