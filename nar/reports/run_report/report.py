"""The files of a report: one page, the table as Markdown and LaTeX, and plots as PNG and SVG."""

from collections.abc import Sequence

import nar
from nar.reports.run_report import page
from nar.reports.run_report.drawing import as_image, check_matplotlib, draw
from nar.reports.run_report.formats import as_html, as_latex, as_markdown
from nar.reports.run_report.panels import Bars, Panel, learning_curves, published_bars, size_curves
from nar.reports.run_report.published import RECONSTRUCTED
from nar.reports.run_report.records import Record, Records
from nar.reports.run_report.settings import Setting, make_settings
from nar.reports.run_report.tables import Table, config_table, run_table, score_table, size_table

_COLUMNS = 3
"""Of panels in a plot."""

_SIZES = (
    "By experiments.evaluate; where it was not asked, n = 16 is the validation and n = 64 the test split. "
    "Bands are deviations."
)
_MARKED = (
    "Bars are ours, test split. Marks are those of others: full ones were read where they were published, "
    f"hollow ones ({RECONSTRUCTED}) are reconstructed."
)


def make_report(records: Records, page_name: str = "report.html") -> dict[str, bytes]:
    """All files by name; nothing is written.

    Args:
      records: what it is about; at least one run.
      page_name: of the page.

    Raises:
      ValueError: if there is no run, or no matplotlib.
    """
    check_matplotlib()
    if not records.runs:
        raise ValueError("no trial has begun yet: " + ", ".join(map(str, records.waiting)))
    settings = make_settings(records.runs)
    scores, bars = score_table(settings), published_bars(settings)
    plots = {
        "learning_curves": (learning_curves(settings), ""),
        "score_by_size": (size_curves(settings), _SIZES),
        "test_scores": (bars, _MARKED if _has_others(bars) else ""),
    }
    files = {
        page_name: _page(records, settings, scores, plots).encode(),
        "table.md": as_markdown(scores).encode(),
        "table.tex": as_latex(scores).encode(),
    }
    for name, (panels, _) in plots.items():
        if panels:
            figure = draw(panels, 2 if isinstance(panels[0], Bars) else _COLUMNS)
            files |= {f"{name}.{form}": as_image(figure, form) for form in ("png", "svg")}
    return files


def _page(
    records: Records,
    settings: Sequence[Setting],
    scores: Table,
    plots: dict[str, tuple[Sequence[Panel], str]],
) -> str:
    drawn = {name: page.figures(name, panels, note) for name, (panels, note) in plots.items() if panels}
    bars_title = f"Test scores{' beside published ones' if _has_others(plots['test_scores'][0]) else ''}"
    differences, sizes = config_table(settings), size_table(settings)
    parts = [
        ("Notes", [page.notes(report_notes(records, settings))]),
        ("Scores", [as_html(scores), page.sources(scores)] if scores.rows else []),
        (bars_title, [drawn.get("test_scores", "")]),
        ("Learning curves", [drawn.get("learning_curves", "")]),
        ("Score by size", [drawn.get("score_by_size", ""), as_html(sizes) if sizes.rows else ""]),
        ("Differences of configs", [as_html(differences) if differences.rows else "", _added(records)]),
        ("Runs", [as_html(run_table(settings))]),
    ]
    sections = [page.section(title, *content) for title, content in parts if any(content)]
    return page.report_page(_title(records), _facts(records, settings), sections)


def _has_others(panels: Sequence[Panel]) -> bool:
    """Whether there are published numbers beside ours."""
    return any(isinstance(panel, Bars) and panel.others for panel in panels)


def _title(records: Records) -> str:
    runs = records.runs
    return runs[0].name if len(runs) == 1 else f"{len(runs)} runs"


def _facts(records: Records, settings: Sequence[Setting]) -> str:
    finished = sum(record.is_finished for record in records.runs)
    parts = [f"{len(settings)} settings" if len(settings) > 1 else "one setting"]
    parts.append(f"{finished} of {len(records.runs) + len(records.waiting)} runs finished")
    return " · ".join([*parts, f"report by nar {nar.__version__}"])


def report_notes(records: Records, settings: Sequence[Setting]) -> list[str]:
    """What a reader must know of the runs: what is not finished, left out, or of another version."""
    runs = records.runs
    by_version: dict[str, list[Record]] = {}
    for record in runs:
        by_version.setdefault(record.versions.get("nar", "an unknown version"), []).append(record)
    lines = [
        _listed(
            "Not finished, so in no table of scores",
            [f"{r.name} ({r.status})" for r in runs if not r.is_finished],
        ),
        _listed("Not begun", [path.name for path in records.waiting]),
        *(
            _listed(
                f"Finished more than once, of which the first run counts, seeds of {one.label}",
                one.repeated_seeds,
            )
            for one in settings
        ),
        *(
            _listed(
                f"Of nar {version}, not {nar.__version__}, so that they are settings of their own", members
            )
            for version, members in by_version.items()
            if version != nar.__version__
        ),
        _listed(
            "With configs of an older version; keys that they lack count as usual now",
            [r for r in runs if r.added],
        ),
        _listed(
            "With a damaged config.json, in place of which its copy was read",
            [r for r in runs if r.has_copied_config],
        ),
    ]
    return [line for line in lines if line]


def _listed(title: str, members: Sequence[Record | str | int]) -> str:
    """A line that names some; nothing if there are none."""
    names = [one.name if isinstance(one, Record) else str(one) for one in members]
    return f"{title}: {', '.join(names)}." if names else ""


def _added(records: Records) -> str:
    """What the configs of older versions lack, folded."""
    lines = [f"{record.name}: {', '.join(record.added)}" for record in records.runs if record.added]
    return page.folded("What configs of older versions lack, as it is taken to be", page.notes(lines))
