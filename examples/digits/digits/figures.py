"""The two figures of the report, as SVG: the confusion matrix, and the misread images.

Each stands on a card of its own colour, and follows the reader's light or dark setting; a viewer
that knows no such setting shows the light one. Neither needs a font, a script or another file.
"""

from __future__ import annotations

from typing import Any

from digits.samples import DIGITS, INK_MAX, SIDE

CELL = 46
GAP = 3
STEP = CELL + GAP
# Where the first square of the matrix stands.
LEFT, TOP = 92, 124

# GitHub's two palettes, so that a report looks at home there.
STYLE = """
  text { font-family: ui-sans-serif, system-ui, 'Segoe UI', Helvetica, Arial, sans-serif }
  text { font-variant-numeric: tabular-nums }
  .middle { text-anchor: middle }
  .end { text-anchor: end }
  .title { font-size: 17px; font-weight: 600 }
  .label { font-size: 15px; font-weight: 600 }
  .count { font-size: 15px; font-weight: 600 }
  .note { font-size: 12px }
  .card { fill: #ffffff; stroke: #d1d9e0 }
  .ink, .pixel { fill: #1f2328 }
  .muted { fill: #59636e }
  .empty { fill: #f3f5f7 }
  .right { fill: #0969da }
  .wrong { fill: #e16f24 }
  .on { fill: #ffffff }
  @media (prefers-color-scheme: dark) {
    .card { fill: #0d1117; stroke: #3d444d }
    .ink, .pixel { fill: #f0f6fc }
    .muted { fill: #9198a1 }
    .empty { fill: #1a2029 }
    .right { fill: #1f6feb }
    .wrong { fill: #db6d28 }
  }
"""


def confusion_matrix(confusion: list[list[int]]) -> str:
    """A square a pair of digits: rows are what an image is, columns what it was read as."""
    side = len(DIGITS) * STEP - GAP
    width, height = LEFT + side + 92, TOP + side + 76
    total = sum(map(sum, confusion))
    right = sum(confusion[digit][digit] for digit in DIGITS)

    parts = [
        text(28, 40, "Which digit was read as which", "title ink"),
        text(28, 62, f"{right} of {total} held-out images read correctly", "note muted"),
        text(LEFT + side / 2, TOP - 36, "read as", "note muted middle"),
        text(LEFT + side + 46, TOP - 12, "recall", "note muted middle"),
        text(LEFT - 10, TOP + side + 24, "precision", "note muted end"),
        text(LEFT - 24, TOP - 12, "is", "note muted middle"),
    ]
    for digit in DIGITS:
        along = digit * STEP + CELL / 2
        column = sum(row[digit] for row in confusion)
        hits = confusion[digit][digit]
        recall, precision = percent(hits, sum(confusion[digit])), percent(hits, column)
        parts += [
            text(LEFT + along, TOP - 12, digit, "label ink middle"),
            text(LEFT - 24, TOP + along + 5, digit, "label ink middle"),
            text(LEFT + side + 46, TOP + along + 4, recall, "note muted middle"),
            text(LEFT + along, TOP + side + 24, precision, "note muted middle"),
        ]
    parts += [cell(confusion, row, column) for row in DIGITS for column in DIGITS]
    parts += [
        f'<rect class="right" x="{LEFT}" y="{height - 30}" width="12" height="12" rx="3"/>',
        text(LEFT + 20, height - 20, "read correctly", "note muted"),
        f'<rect class="wrong" x="{LEFT + 124}" y="{height - 30}" width="12" height="12" rx="3"/>',
        text(LEFT + 144, height - 20, "taken for another digit", "note muted"),
    ]
    return document(width, height, f"Confusion matrix: {right} of {total} right", parts)


def cell(confusion: list[list[int]], is_digit: int, read_as: int) -> str:
    """One square; its colour says right or wrong, its strength how much of the row it holds."""
    x, y = LEFT + read_as * STEP, TOP + is_digit * STEP
    place = f'x="{x}" y="{y}" width="{CELL}" height="{CELL}" rx="6"'
    square = f'<rect class="empty" {place}/>'
    count = confusion[is_digit][read_as]
    if count:
        share = count / sum(confusion[is_digit])
        same = is_digit == read_as
        # A single mistake must be seen at once, so mistakes start strong and grow quickly.
        opacity = 0.15 + 0.85 * share if same else min(1.0, 0.35 + 4 * share)
        kind, ink = ("right", "on" if share > 0.6 else "ink") if same else ("wrong", "ink")
        square += f'<rect class="{kind}" {place} opacity="{opacity:.2f}"/>'
        square += text(x + CELL / 2, y + CELL / 2 + 5, count, f"count {ink} middle")
    images = "image" if count == 1 else "images"
    return f"<g><title>{count} {images} of a {is_digit} read as {read_as}</title>{square}</g>"


def gallery(mistakes: list[dict[str, Any]], shown_max: int = 24) -> str:
    """The images that were misread, each with what it is and what it was read as."""
    pixel, columns, pad = 9, 6, 28
    tile_width, tile_height = SIDE * pixel + 26, SIDE * pixel + 48
    shown = mistakes[:shown_max]
    rows = max(1, -(-len(shown) // columns))
    width = 2 * pad + columns * tile_width - 26
    height = 84 + rows * tile_height
    note = f"{len(shown)} of {len(mistakes)} shown" if len(mistakes) > len(shown) else ""
    parts = [
        text(pad, 40, "What was misread", "title ink"),
        text(pad, 62, note or f"{len(mistakes)} in all", "note muted"),
    ]
    for index, mistake in enumerate(shown):
        x = pad + index % columns * tile_width
        y = 84 + index // columns * tile_height
        side = SIDE * pixel
        parts.append(f'<rect class="empty" x="{x}" y="{y}" width="{side}" height="{side}" rx="4"/>')
        for place, level in enumerate(mistake["pixels"]):
            if level:
                across, down = x + place % SIDE * pixel, y + place // SIDE * pixel
                parts.append(
                    f'<rect class="pixel" x="{across}" y="{down}" width="{pixel}" '
                    f'height="{pixel}" opacity="{level / INK_MAX:.2f}"/>'
                )
        caption = f"{mistake['is']}, read as {mistake['read_as']}"
        parts.append(text(x + side / 2, y + side + 18, caption, "note muted middle"))
    return document(width, height, f"{len(mistakes)} misread images", parts)


def document(width: float, height: float, title: str, parts: list[str]) -> str:
    """The parts on a card, with the title that a screen reader says."""
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}">\n<title>{title}</title>\n<style>{STYLE}</style>\n'
        f'<rect class="card" x="0.5" y="0.5" width="{width - 1}" height="{height - 1}" rx="12"/>\n'
        f"{body}\n</svg>\n"
    )


def text(x: float, y: float, words: object, classes: str) -> str:
    """One line of text. The words are our own numbers and labels, never foreign input."""
    return f'<text x="{x}" y="{y}" class="{classes}">{words}</text>'


def percent(part: int, whole: int) -> str:
    """A share for a margin of the matrix; of nothing there is none."""
    return f"{100 * part / whole:.0f}%" if whole else "–"
