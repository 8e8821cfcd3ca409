"""Tables of text cells: as plain text, Markdown, LaTeX (booktabs) and HTML; cells are escaped."""

import dataclasses
from collections.abc import Callable, Collection, Iterable, Sequence

from nar.reports.escape import escape_html, escape_latex, escape_markdown, plain

NONE = "–"
"""The cell of a missing value."""


@dataclasses.dataclass(frozen=True)
class Table:
    """A table.

    Attributes:
      header: column titles; the first column has the row labels.
      rows: rows of cells, as long as the header.
      caption: the caption, if any.
      notes: remarks on the cells.
      name: identifier, one word; the label in LaTeX.
      best: positions (row, column) of cells in bold, except in plain text.
    """

    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str = ""
    notes: Sequence[str] = ()
    name: str = "table"
    best: Collection[tuple[int, int]] = ()

    def as_text(self) -> str:
        """Formats the table for a terminal; the first column is left-aligned, the others right-aligned."""
        lines = [[plain(cell) for cell in line] for line in (self.header, *self.rows)]
        widths = [max(len(line[column]) for line in lines) for column in range(len(self.header))]
        rule = "─" * (sum(widths) + 2 * (len(widths) - 1))
        first, *others = (_text_row(line, widths) for line in lines)
        return self._framed("\n".join([first, rule, *others]), plain)

    def _repr_html_(self) -> str:
        return self.as_html()

    def as_markdown(self) -> str:
        """Formats the table as Markdown."""
        header = [escape_markdown(cell) for cell in self.header]
        lines = [header, ["---"] * len(header), *self._cells(escape_markdown, "**{}**")]
        return self._framed("\n".join(map(_markdown_row, lines)), escape_markdown) + "\n"

    def as_latex(self) -> str:
        """Formats the table as a LaTeX `table` environment that needs only the package booktabs."""
        lines = [
            r"% Needs \usepackage[T1]{fontenc} and \usepackage{booktabs}.",
            r"\begin{table}",
            r"  \centering",
            rf"  \caption{{{escape_latex(self.caption)}}}",
            rf"  \label{{tab:{self.name}}}",
            rf"  \begin{{tabular}}{{l{'r' * (len(self.header) - 1)}}}",
            r"    \toprule",
            _latex_line(map(escape_latex, self.header)),
            r"    \midrule",
            *map(_latex_line, self._cells(escape_latex, r"\textbf{{{}}}")),
            r"    \bottomrule",
            r"  \end{tabular}",
            *(rf"  \par\smallskip{{\footnotesize {escape_latex(note)}}}" for note in self.notes),
            r"\end{table}",
        ]
        return "\n".join(lines) + "\n"

    def as_html(self) -> str:
        """Formats the table as HTML, scrollable if it is too wide."""
        caption = escape_html(self.caption)
        head = "".join(f'<th scope="col">{escape_html(cell)}</th>' for cell in self.header)
        cells = self._cells(escape_html, "<strong>{}</strong>")
        body = "\n".join(map(_html_row, self.rows, cells))
        notes = "".join(f'<p class="note">{escape_html(note)}</p>' for note in self.notes)
        return (
            f'<p class="note">{caption}</p>\n'
            f'<div class="wide" tabindex="0" role="region" aria-label="{caption}">'
            f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table></div>\n{notes}"
        )

    def _cells(self, escape: Callable[[str], str], bold: str) -> list[list[str]]:
        """Escaped cells of the rows, the best ones in bold."""
        return [
            [
                bold.format(escape(cell)) if (row, column) in self.best else escape(cell)
                for column, cell in enumerate(cells)
            ]
            for row, cells in enumerate(self.rows)
        ]

    def _framed(self, table: str, escape: Callable[[str], str]) -> str:
        """Adds the caption and the notes as paragraphs."""
        return "\n\n".join(filter(None, [escape(self.caption), table, *map(escape, self.notes)]))


def short_key(key: str, keys: Sequence[str]) -> str:
    """The last component of a dotted key, or the whole key if another one ends in the same component."""
    last = key.rpartition(".")[2]
    return last if sum(other.rpartition(".")[2] == last for other in keys) == 1 else key


def _text_row(cells: Sequence[str], widths: Sequence[int]) -> str:
    (first, *others), (first_width, *other_widths) = cells, widths
    aligned = [cell.rjust(width) for cell, width in zip(others, other_widths, strict=True)]
    return "  ".join([first.ljust(first_width), *aligned]).rstrip()


def _markdown_row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _latex_line(cells: Iterable[str]) -> str:
    return "    " + " & ".join(cells) + r" \\"


def _html_row(texts: Sequence[str], cells: Sequence[str]) -> str:
    data = "".join(
        f"<td{_html_class(text)}>{cell}</td>" for text, cell in zip(texts[1:], cells[1:], strict=True)
    )
    return f'<tr><th scope="row">{cells[0]}</th>{data}</tr>'


def _html_class(cell: str) -> str:
    if cell == NONE:
        return ' class="none"'
    return ' class="open"' if cell.startswith("unfinished") else ""
