"""The pages of the leaderboard: results.md, and leaderboard.html with plots."""

import html
from collections.abc import Sequence

from nar.algorithms import CLRS30_FAMILIES
from nar.reports.leaderboard.columns import Column, make_columns
from nar.reports.leaderboard.rows import Row
from nar.reports.leaderboard.tables import (
    SIZES,
    algorithm_quantities,
    average_quantities,
    below_reference,
    commands,
    row_table,
    score_table,
    size_table,
)
from nar.reports.run_report import page
from nar.reports.run_report.drawing import check_matplotlib
from nar.reports.run_report.panels import Bars, Curves, Line, bars_panel
from nar.reports.run_report.quantities import Quantity, clrs30_tasks
from nar.reports.tables import Table
from nar.statistics import sample_statistics

MARKDOWN, PAGE = "results.md", "leaderboard.html"

_INTRODUCTION = (
    "Test scores on CLRS-30 at n = 64: micro-F1 in percent as CLRS-30 defines it, on its canonical test "
    "split, mean ± sample standard deviation over seeds where there are several. Our networks are part of "
    "the package (`nar.pretrained`); they were scored after rounding to float16."
)
_GENERATED = "Made by `python -m experiments.report --leaderboard` from files in this repository."


def make_leaderboard(rows: Sequence[Row]) -> dict[str, bytes]:
    """Makes the two pages, by file name, without writing them.

    Args:
      rows: any number of rows.

    Raises:
      ValueError: if matplotlib is not installed.
    """
    check_matplotlib()
    columns = make_columns(rows)
    by_algorithm = score_table(columns, algorithm_quantities(), "Score by algorithm, in percent.")
    by_class = score_table(columns, average_quantities(), "Means over classes and over CLRS-30, in percent.")
    tables = {"By algorithm": by_algorithm, "By class": by_class}
    if rows:
        tables |= {"By size": size_table(columns), "Networks": row_table(rows)}
    return {
        MARKDOWN: _markdown(columns, rows, tables).encode(),
        PAGE: _page(columns, rows, tables).encode(),
    }


def progress(columns: Sequence[Column]) -> list[str]:
    """Sentences on how many algorithms are in, and what is below published scores."""
    total = len(clrs30_tasks())
    if not columns:
        return [f"0 of {total} algorithms are in: no network has been exported yet."]
    counts = [
        f"{column.label}: {len(clrs30_tasks() & set(column.scores))} of {total} algorithms are in"
        for column in columns
    ]
    shown = "a class mean is shown once its class is complete, the mean over thirty once all are in."
    return [f"{'; '.join(counts)}; {shown}", *below_reference(columns)]


def _markdown(columns: Sequence[Column], rows: Sequence[Row], tables: dict[str, Table]) -> str:
    lines = [f"# Results\n\n{_INTRODUCTION}\n\n{_GENERATED} The same with plots: [{PAGE}]({PAGE})."]
    lines.append("How to add a row: [submit.md](submit.md).")
    lines.append("\n".join(f"- {line}" for line in progress(columns)))
    lines += [f"## {title}\n\n{table.as_markdown().rstrip()}" for title, table in tables.items()]
    if rows:
        listed = "\n".join(f"- {label}: `{command}`" for label, command in commands(rows))
        lines.append(f"## Commands\n\n{listed}")
    return "\n\n".join(lines) + "\n"


def _page(columns: Sequence[Column], rows: Sequence[Row], tables: dict[str, Table]) -> str:
    curves = _size_curves(columns)
    plots = {
        "By algorithm": page.figures("algorithms", _bars(columns)),
        "By class": page.figures("classes", [_average_bars(columns)]),
        "By size": page.figures("sizes", curves) if curves else "",
    }
    sections = [page.section("Progress", page.notes(progress(columns)))]
    sections += [
        page.section(title, plots.get(title, ""), table.as_html()) for title, table in tables.items()
    ]
    if rows:
        sections.append(page.section("Commands", _definitions(commands(rows))))
    plain = f"{_INTRODUCTION} {_GENERATED}".replace("`", "")
    return page.report_page("Results on CLRS-30", plain, sections)


def _definitions(pairs: Sequence[tuple[str, str]]) -> str:
    items = [
        f"<dt>{html.escape(label)}</dt><dd><code>{html.escape(text)}</code></dd>" for label, text in pairs
    ]
    return f"<dl>{''.join(items)}</dl>"


def _bars(columns: Sequence[Column]) -> list[Bars]:
    """A panel per class: our scores as bars, published ones as marks."""
    ours = {column.label: column.quantities() for column in columns}
    return [
        bars_panel(family.replace("_", " "), [Quantity("algorithm", task) for task in sorted(tasks)], ours)
        for family in CLRS30_FAMILIES
        if (tasks := clrs30_tasks(family))
    ]


def _average_bars(columns: Sequence[Column]) -> Bars:
    ours = {column.label: column.quantities() for column in columns}
    return bars_panel("classes and averages", average_quantities(), ours)


def _size_curves(columns: Sequence[Column]) -> list[Curves]:
    """A panel per class and column: score against size, a line per algorithm."""
    panels = []
    for column in columns:
        for family in CLRS30_FAMILIES:
            lines = [
                Line(task, style, points)
                for style, task in enumerate(sorted(clrs30_tasks(family) & set(column.scores)))
                if (points := _points(column, task))
            ]
            if lines:
                title = f"{family.replace('_', ' ')}, {column.label}"
                panels.append(Curves(title, "size n", lines))
    return panels


def _points(column: Column, task: str) -> list[tuple[float, float, float | None]]:
    points = []
    for size in SIZES:
        scores = [one[0] for row in column.rows if (one := row.score(task, size)) is not None]
        if scores:
            found = sample_statistics(scores)
            deviation = None if found.deviation is None else 100 * found.deviation
            points.append((size, 100 * found.mean, deviation))
    return points
