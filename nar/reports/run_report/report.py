"""The files of a report: an HTML page, the table as Markdown and LaTeX, and plots as PNG and SVG."""

import functools
import logging
from collections.abc import Callable, Sequence
from typing import TypeVar

import nar
from nar.reports.run_report import page
from nar.reports.run_report.drawing import as_image, check_matplotlib, draw
from nar.reports.run_report.panels import Bars, Panel, learning_curves, published_bars, size_curves
from nar.reports.run_report.published import RECONSTRUCTED
from nar.reports.run_report.records import Record, Records
from nar.reports.run_report.settings import Setting, make_settings
from nar.reports.run_report.tables import config_table, run_table, score_table, size_table
from nar.reports.tables import Table
from nar.runs.protocol_keys import describe_selection

T = TypeVar("T")

_logger = logging.getLogger(__name__)

_FAILED = "This plot could not be drawn; the warnings of experiments.report say why."
_COLUMNS = 3
"""Number of panels in a row of a plot."""

_SIZES = (
    "From experiments.evaluate; without an evaluation, n = 16 is the validation and n = 64 the test split. "
    "Bands are standard deviations."
)
_MARKED = (
    "Bars are test scores of these runs. Marks are published scores: filled ones were read in the "
    f"publication, hollow ones ({RECONSTRUCTED}) are reconstructed."
)


def make_report(records: Records, page_name: str = "report.html") -> dict[str, bytes]:
    """Makes all files of a report, by name, without writing them.

    Args:
      records: the runs, at least one.
      page_name: file name of the HTML page.

    Raises:
      ValueError: if there is no run, or matplotlib is not installed.
    """
    check_matplotlib()
    if not records.runs:
        raise ValueError("no trial has started yet: " + ", ".join(map(str, records.not_started)))
    settings = make_settings(records.runs)
    scores, bars = score_table(settings), published_bars(settings)
    plots = {
        "learning_curves": (learning_curves(settings), ""),
        "score_by_size": (size_curves(settings), _SIZES),
        "test_scores": (bars, _MARKED if _has_published(bars) else ""),
    }
    files = {
        page_name: _page(records, settings, scores, plots).encode(),
        "table.md": scores.as_markdown().encode(),
        "table.tex": scores.as_latex().encode(),
    }
    for name, (panels, _) in plots.items():
        if panels:
            files |= _attempt(name, functools.partial(_images, name, panels), {})
    return files


def _images(name: str, panels: Sequence[Panel]) -> dict[str, bytes]:
    """PNG and SVG file of a plot, by name."""
    figure = draw(panels, 2 if isinstance(panels[0], Bars) else _COLUMNS)
    return {f"{name}.{form}": as_image(figure, form) for form in ("png", "svg")}


def _attempt(name: str, draw_plot: Callable[[], T], fallback: T) -> T:
    """Result of a function that draws a plot; if it fails, a warning and the fallback."""
    try:
        return draw_plot()
    except Exception as error:
        _logger.warning("no plot %s: %s: %s", name, type(error).__name__, error)
        return fallback


def _page(
    records: Records,
    settings: Sequence[Setting],
    scores: Table,
    plots: dict[str, tuple[Sequence[Panel], str]],
) -> str:
    drawn = {
        name: _attempt(name, functools.partial(page.figures, name, panels, note), page.notes([_FAILED]))
        for name, (panels, note) in plots.items()
        if panels
    }
    bars_title = f"Test scores{' and published ones' if _has_published(plots['test_scores'][0]) else ''}"
    differences, sizes = config_table(settings), size_table(settings)
    parts = [
        ("Notes", [page.notes(report_notes(records, settings))]),
        ("Scores", [scores.as_html(), page.sources(scores)] if scores.rows else []),
        (bars_title, [drawn.get("test_scores", "")]),
        ("Learning curves", [drawn.get("learning_curves", "")]),
        ("Score by size", [drawn.get("score_by_size", ""), sizes.as_html() if sizes.rows else ""]),
        ("Config differences", [differences.as_html()] if differences.rows else []),
        ("Runs", [run_table(settings).as_html()]),
    ]
    sections = [page.section(title, *content) for title, content in parts if any(content)]
    return page.report_page(_title(records), _subtitle(records, settings), sections)


def _has_published(panels: Sequence[Panel]) -> bool:
    """Checks whether a panel has published numbers."""
    return any(isinstance(panel, Bars) and panel.published for panel in panels)


def _title(records: Records) -> str:
    runs = records.runs
    return runs[0].name if len(runs) == 1 else f"{len(runs)} runs"


def _subtitle(records: Records, settings: Sequence[Setting]) -> str:
    finished = sum(record.is_finished for record in records.runs)
    parts = [f"{len(settings)} settings" if len(settings) > 1 else "one setting"]
    parts.append(f"{finished} of {len(records.runs) + len(records.not_started)} runs finished")
    return " · ".join([*parts, f"report by nar {nar.__version__}"])


def report_notes(records: Records, settings: Sequence[Setting]) -> list[str]:
    """Caveats about the runs: which are unfinished, ignored, or of another version."""
    runs = records.runs
    by_version: dict[str, list[Record]] = {}
    for record in runs:
        by_version.setdefault(record.versions.get("nar", "an unknown version"), []).append(record)
    lines = [
        _listed(
            "Unfinished, so not in the table of scores",
            [f"{r.name} ({r.status})" for r in runs if not r.is_finished],
        ),
        _listed("Not started", [path.name for path in records.not_started]),
        *(
            _listed(
                f"Finished in several runs, of which the first counts, seeds of {one.label}",
                one.duplicate_seeds,
            )
            for one in settings
        ),
        *(
            _listed(f"From nar {version}, not {nar.__version__}, so in separate settings", members)
            for version, members in by_version.items()
            if version != nar.__version__
        ),
        *(
            _listed(f"{_selection(one)}, not on the validation split", [one.label])
            for one in settings
            if _selection(one)
        ),
        _listed(
            "With a damaged config.json, so its copy was read",
            [r for r in runs if r.uses_config_copy],
        ),
        _listed(
            "Scored without the best checkpoint, which was lost",
            [r for r in runs for one in (r.result, r.evaluation) if one and one.get("lost_checkpoints")],
        ),
    ]
    return [line for line in lines if line]


def _selection(setting: Setting) -> str:
    """The sizes at which the checkpoints of a setting were selected, in words; empty if on validation."""
    if setting.is_text:
        return ""
    evaluation = setting.records[0].graph_config.evaluation
    return describe_selection(evaluation.to_dict()).capitalize() if evaluation.selection_sizes else ""


def _listed(title: str, members: Sequence[Record | str | int]) -> str:
    """A line that lists the members; empty if there are none."""
    names = [one.name if isinstance(one, Record) else str(one) for one in members]
    return f"{title}: {', '.join(names)}." if names else ""
