"""Formats of a table: Markdown, LaTeX (booktabs) and HTML."""

import html
from collections.abc import Iterable

from nar.reports.run_report.tables import NONE, Table
from nar.reports.sweep_table import markdown_table

_LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{letter: f"\\{letter}" for letter in "&%$#_{}"},
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    '"': r"\textquotedbl{}",
    "|": r"\textbar{}",
    "±": r"$\pm$",
    "†": r"\textsuperscript{\textdagger}",
    "–": "--",
    "…": r"\dots{}",
    "×": r"$\times$",
    "č": r"\v{c}",
    "ć": r"\'c",
}


def as_markdown(table: Table) -> str:
    """Formats a table as Markdown, with its caption and notes."""
    return "\n\n".join([table.caption, markdown_table(table.header, table.rows), *table.notes]) + "\n"


def as_latex(table: Table) -> str:
    """Formats a table as a LaTeX `table` environment that needs only the package booktabs."""
    columns = "l" + "r" * (len(table.header) - 1)
    notes = [rf"  \par\smallskip{{\footnotesize {latex_text(note)}}}" for note in table.notes]
    lines = [
        r"% Needs \usepackage[T1]{fontenc} and \usepackage{booktabs}.",
        r"\begin{table}",
        r"  \centering",
        rf"  \caption{{{latex_text(table.caption)}}}",
        rf"  \label{{tab:{table.name}}}",
        rf"  \begin{{tabular}}{{{columns}}}",
        r"    \toprule",
        _latex_row(table.header),
        r"    \midrule",
        *map(_latex_row, table.rows),
        r"    \bottomrule",
        r"  \end{tabular}",
        *notes,
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def latex_text(text: str) -> str:
    """Escapes text for LaTeX."""
    return "".join(_LATEX.get(letter, letter) for letter in text)


def _latex_row(cells: Iterable[str]) -> str:
    return "    " + " & ".join(map(latex_text, cells)) + r" \\"


def as_html(table: Table) -> str:
    """Formats a table as HTML, scrollable if it is too wide, with its caption and notes."""
    head = "".join(f'<th scope="col">{html.escape(cell)}</th>' for cell in table.header)
    body = "\n".join(_html_row(row) for row in table.rows)
    notes = "".join(f'<p class="note">{html.escape(note)}</p>' for note in table.notes)
    return (
        f'<p class="note">{html.escape(table.caption)}</p>\n'
        f'<div class="wide" tabindex="0" role="region" aria-label="{html.escape(table.caption)}">'
        f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table></div>\n{notes}"
    )


def _html_row(row: Iterable[str]) -> str:
    label, *cells = (html.escape(cell) for cell in row)
    texts = "".join(f"<td{_class(cell)}>{cell}</td>" for cell in cells)
    return f'<tr><th scope="row">{label}</th>{texts}</tr>'


def _class(cell: str) -> str:
    if cell == NONE:
        return ' class="none"'
    return ' class="open"' if cell.startswith("unfinished") else ""
