"""The two figures of the report, as SVG: the confusion matrix, and the images read wrongly.

Each stands on a card of its own colour, and follows the reader's light or dark setting; a viewer
that knows no such setting shows the light one. Neither needs a font, a script or another file.
"""

from __future__ import annotations

from typing import Any

from digits.samples import DIGITS, INK_MAX, SIDE

CELL = 46
GAP = 3
STEP = CELL + GAP

# GitHub's two palettes, so that a report looks at home there.
STYLE = """
  text { font-family: ui-sans-serif, system-ui, 'Segoe UI', Helvetica, Arial, sans-serif }
  text { font-variant-numeric: tabular-nums }
  .middle { text-anchor: middle }
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
    left, top = 84, 124
    side = len(DIGITS) * STEP - GAP
    width, height = left + side + 92, top + side + 76
    total = sum(map(sum, confusion))
    right = sum(confusion[digit][digit] for digit in DIGITS)

    parts = [
        text(28, 40, "Which digit was read as which", "title ink"),
        text(28, 62, f"{right} of {total} held-out images read rightly", "note muted"),
        text(left + side / 2, top - 36, "read as", "note muted middle"),
        text(left + side + 46, top - 12, "found", "note muted middle"),
        text(left - 10, top + side + 24, "trusted", "note muted", "text-anchor: end"),
        f'<g transform="translate({left - 52} {top + side / 2}) rotate(-90)">'
        + text(0, 0, "is", "note muted middle")
        + "</g>",
    ]
    for digit in DIGITS:
        along = digit * STEP + CELL / 2
        column = sum(row[digit] for row in confusion)
        hits = confusion[digit][digit]
        found, trusted = percent(hits, sum(confusion[digit])), percent(hits, column)
        parts += [
            text(left + along, top - 12, digit, "label ink middle"),
            text(left - 24, top + along + 5, digit, "label ink middle"),
            text(left + side + 46, top + along + 4, found, "note muted middle"),
            text(left + along, top + side + 24, trusted, "note muted middle"),
        ]
    for is_digit, row in enumerate(confusion):
        for read_as, count in enumerate(row):
            x, y = left + read_as * STEP, top + is_digit * STEP
            parts.append(cell(x, y, count, is_digit, read_as, sum(row)))
    parts += [
        f'<rect class="right" x="{left}" y="{height - 30}" width="12" height="12" rx="3"/>',
        text(left + 20, height - 20, "read rightly", "note muted"),
        f'<rect class="wrong" x="{left + 110}" y="{height - 30}" width="12" height="12" rx="3"/>',
        text(left + 130, height - 20, "taken for another digit", "note muted"),
    ]
    return document(width, height, f"Confusion matrix: {right} of {total} right", parts)


def cell(x: float, y: float, count: int, is_digit: int, read_as: int, row_total: int) -> str:
    """One square; its colour says right or wrong, its strength how much of the row it holds."""
    place = f'x="{x}" y="{y}" width="{CELL}" height="{CELL}" rx="6"'
    square = f'<rect class="empty" {place}/>'
    if count:
        share = count / row_total
        same = is_digit == read_as
        # A single mistake must be seen at once, so mistakes start strong and grow quickly.
        opacity = 0.15 + 0.85 * share if same else min(1.0, 0.35 + 4 * share)
        kind, ink = ("right", "on" if share > 0.6 else "ink") if same else ("wrong", "ink")
        square += f'<rect class="{kind}" {place} opacity="{opacity:.2f}"/>'
        square += text(x + CELL / 2, y + CELL / 2 + 5, count, f"count {ink} middle")
    images = "image" if count == 1 else "images"
    return f"<g><title>{count} {images} of a {is_digit} read as {read_as}</title>{square}</g>"


def gallery(mistakes: list[dict[str, Any]], shown_max: int = 24) -> str:
    """The images that were read wrongly, each with what it is and what it was read as."""
    pixel, columns, pad = 9, 6, 28
    tile_width, tile_height = SIDE * pixel + 26, SIDE * pixel + 48
    shown = mistakes[:shown_max]
    rows = max(1, -(-len(shown) // columns))
    width = 2 * pad + columns * tile_width - 26
    height = 84 + rows * tile_height
    note = f"{len(shown)} of {len(mistakes)} shown" if len(mistakes) > len(shown) else ""
    parts = [
        text(pad, 40, "What was read wrongly", "title ink"),
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
    return document(width, height, f"{len(mistakes)} images read wrongly", parts)


def document(width: float, height: float, title: str, parts: list[str]) -> str:
    """The parts on a card, with the title that a screen reader says."""
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}">\n<title>{title}</title>\n<style>{STYLE}</style>\n'
        f'<rect class="card" x="0.5" y="0.5" width="{width - 1}" height="{height - 1}" rx="12"/>\n'
        f"{body}\n</svg>\n"
    )


def text(x: float, y: float, words: object, classes: str, style: str = "") -> str:
    """One line of text. The words are our own numbers and labels, never foreign input."""
    extra = f' style="{style}"' if style else ""
    return f'<text x="{x}" y="{y}" class="{classes}"{extra}>{words}</text>'


def percent(part: int, whole: int) -> str:
    """A share for a margin of the matrix; of nothing there is none."""
    return f"{100 * part / whole:.0f}%" if whole else "–"
