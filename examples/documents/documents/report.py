"""Step 6: report.md, with a map of all documents in map.svg beside it."""

from __future__ import annotations

from html import escape
from typing import Any

from documents import files

SIZE = 640
COLOURS = [
    "#4e79a7", "#f28e2b", "#e15759", "#76b7b2", "#59a14f", "#edc948", "#b07aa1", "#ff9da7",
    "#9c755f", "#bab0ac", "#1f77b4", "#2ca02c", "#d62728", "#9467bd", "#8c564b", "#17becf",
]


def report(
    groups: list[dict[str, Any]], names: list[dict[str, str]], judged: dict[str, float]
) -> dict[str, str]:
    """Writes both; gives their paths."""
    documents = files.read_lines("clusters.jsonl")
    plot = files.write("map.svg", drawn(documents))
    lines = [
        f"# {len(documents)} documents in {len(groups)} groups",
        "",
        f"What the groups say of the fields: {judged['information']:.2f} of 1 (normalised mutual "
        f"information); documents in a group of their own field: {judged['purity']:.0%}.",
        "",
        "![All documents; the colour is the group](map.svg)",
        "",
        "| group | name | documents | nearest its middle |",
        "|---|---|---|---|",
    ]
    for group, name in zip(groups, names):
        title, sample = cell(name["name"]), cell(group["samples"][0][:90])
        lines.append(f"| {group['number']} | {title} | {group['size']} | {sample} |")
    path = files.write("report.md", "\n".join(lines) + "\n")
    return {"report": str(path), "plot": str(plot)}


def cell(text: str) -> str:
    """A text as a cell of a table, whatever is in it: a model may have written it."""
    return escape(" ".join(text.split())).replace("|", "\\|")


def drawn(documents: list[dict[str, Any]]) -> str:
    """The map: a point a document, with its name for who points at it."""
    points = [
        f'<circle cx="{20 + x * (SIZE - 40):.1f}" cy="{20 + (1 - y) * (SIZE - 40):.1f}" r="2.5" '
        f'fill="{COLOURS[it["group"] % len(COLOURS)]}" fill-opacity="0.7">'
        f"<title>{escape(it['name'])}</title></circle>"
        for it in documents
        for x, y in [it["place"]]
    ]
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {SIZE} {SIZE}">'
    paper = f'<rect width="{SIZE}" height="{SIZE}" fill="#fff"/>'
    return "\n".join([head, paper, *points, "</svg>"]) + "\n"
