"""A report of sections with text, tables and pictures, as Markdown and as one HTML file without links."""

from __future__ import annotations

import base64
import html
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from KPrismCore.atomic import atomic_path

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 1100px; margin: 2em auto; padding: 0 1em; color:
#222; } h1, h2 { line-height: 1.2; } h2 { margin-top: 2em; border-bottom: 1px solid #ccc; } .wide {
overflow-x: auto; } img { max-width: 100%; } table { border-collapse: collapse; font-size: 13px; margin: 1em
0; font-variant-numeric: tabular-nums; } th, td { border: 1px solid #ddd; padding: 3px 8px; text-align:
right; white-space: nowrap; } th { background: #f4f4f4; } th:first-child, td:first-child { text-align: left;
} tr.strong td { font-weight: bold; } @media (prefers-color-scheme: dark) {
  body { background: #1c1c1c; color: #ddd; } th { background: #2c2c2c; } th, td { border-color: #444; }
} @media print { .wide { overflow-x: visible; } table { font-size: 8px; } th, td { white-space: normal;
  padding: 2px 4px; } tr, img { break-inside: avoid; } h2 { break-after: avoid; } }
"""


@dataclass(frozen=True)
class Grid:
    """A table of text; the rows whose first cell is in `strong` stand out."""

    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    strong: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Picture:
    """A PNG with its file name (without folder) and what it shows, for those who do not see it."""

    name: str
    shows: str
    content: bytes


@dataclass(frozen=True)
class Section:
    """A heading, paragraphs, then tables, then pictures."""

    title: str
    text: Sequence[str] = ()
    grids: Sequence[Grid] = ()
    pictures: Sequence[Picture] = field(default=())


def write_document(folder: Path, title: str, sections: Sequence[Section]) -> None:
    """Write report.md with its pictures in the folder plots, and report.html with the pictures inside.

    Raises:
        OutputFileError: a file cannot be written.
    """
    for section in sections:
        for picture in section.pictures:
            with atomic_path(folder / "plots" / picture.name) as temporary:
                temporary.write_bytes(picture.content)
    write_text(folder / "report.md", markdown(title, sections))
    write_text(folder / "report.html", one_page(title, sections))


def write_text(path: Path, text: str) -> None:
    """Write a text file at once or not at all.

    Raises:
        OutputFileError: it cannot be written.
    """
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def markdown(title: str, sections: Sequence[Section]) -> str:
    """The report as Markdown; pictures are links into the folder plots."""
    lines = [f"# {title}", ""]
    for section in sections:
        lines += [f"## {section.title}", ""]
        for paragraph in section.text:
            lines += [paragraph, ""]
        for grid in section.grids:
            lines += [_line(grid.header), "|" + "---|" * len(grid.header)]
            lines += [_line(_bold(row) if row[0] in grid.strong else row) for row in grid.rows]
            lines.append("")
        for picture in section.pictures:
            lines += [f"![{picture.shows}](plots/{picture.name})", ""]
    return "\n".join(lines)


def one_page(title: str, sections: Sequence[Section]) -> str:
    """The report as one HTML page that needs nothing else."""
    body = [f"<h1>{html.escape(title)}</h1>"]
    for section in sections:
        body.append(f"<h2>{html.escape(section.title)}</h2>")
        body += [f"<p>{html.escape(paragraph)}</p>" for paragraph in section.text]
        body += [_html_grid(grid) for grid in section.grids]
        body += [_html_picture(picture) for picture in section.pictures]
    head = f'<meta charset="utf-8"><title>{html.escape(title)}</title><style>{_STYLE}</style>'
    return (
        f'<!doctype html>\n<html lang="en"><head>{head}</head>\n<body>\n'
        + "\n".join(body)
        + "\n</body></html>\n"
    )


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "/") for cell in cells) + " |"


def _bold(cells: Sequence[str]) -> list[str]:
    return [f"**{cell}**" for cell in cells]


def _html_grid(grid: Grid) -> str:
    head = "".join(f"<th>{html.escape(cell)}</th>" for cell in grid.header)
    lines = []
    for row in grid.rows:
        style = ' class="strong"' if row[0] in grid.strong else ""
        lines.append(f"<tr{style}>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>")
    return f'<div class="wide"><table><tr>{head}</tr>\n' + "\n".join(lines) + "</table></div>"


def _html_picture(picture: Picture) -> str:
    content = base64.b64encode(picture.content).decode("ascii")
    return f'<p><img alt="{html.escape(picture.shows)}" src="data:image/png;base64,{content}"></p>'
