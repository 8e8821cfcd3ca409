"""The data of the plots: learning curves, scores by size, and bars with published numbers."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence

from nar.reports.run_report.published import RECONSTRUCTED, all_published
from nar.reports.run_report.quantities import Quantity, family_of, test_scores
from nar.reports.run_report.records import Record
from nar.reports.run_report.settings import Setting
from nar.reports.run_report.sizes import scores_by_size
from nar.statistics import SampleStatistics

_MAX_ROWS = 10
"""Most rows of bars in one panel; with more, there is a panel per class."""

Point = tuple[float, float, float | None]
"""x, y, and the standard deviation of y or None."""


@dataclasses.dataclass(frozen=True)
class Line:
    """A line of a panel.

    Attributes:
      label: legend label, shown once for all lines that share it.
      style: style number, which determines color, dashes and marker.
      points: points in the order of x.
      is_unfinished: whether its run is unfinished, in which case the last point is marked by a cross.
    """

    label: str
    style: int
    points: Sequence[Point]
    is_unfinished: bool = False


@dataclasses.dataclass(frozen=True)
class Curves:
    """A panel of lines.

    Attributes:
      title: title of the panel.
      x_label: label of the x axis.
      lines: the lines, each with at least one point.
      is_percent: whether y is in percent (0 to 100); otherwise it is a loss on a log axis.
    """

    title: str
    x_label: str
    lines: Sequence[Line]
    is_percent: bool = True


@dataclasses.dataclass(frozen=True)
class Values:
    """Bars or marks with one label.

    Attributes:
      label: legend label.
      style: style number, as for a line.
      cells: (value, deviation) or None for each row.
      is_hollow: whether the marks are hollow, because the numbers are reconstructed.
    """

    label: str
    style: int
    cells: Sequence[tuple[float, float | None] | None]
    is_hollow: bool = False


@dataclasses.dataclass(frozen=True)
class Bars:
    """A panel of bars for our scores, with marks for published ones.

    Attributes:
      title: title of the panel.
      rows: row labels.
      ours: bars.
      published: marks.
    """

    title: str
    rows: Sequence[str]
    ours: Sequence[Values]
    published: Sequence[Values]


Panel = Curves | Bars


def learning_curves(settings: Sequence[Setting]) -> list[Curves]:
    """Panels of the loss, the mean validation score and, with several algorithms, each one's score.

    There is a line per run. If algorithms have separate networks, only the algorithms have panels.
    """
    keys = dict.fromkeys(
        key for one in settings for record in one.records for line in record.metrics for key in line
    )
    scores = [key for key in keys if key.endswith("/score") and key.startswith("validation/")]
    names = [key.split("/")[1] for key in scores if key.count("/") == 2 and "/class/" not in key]
    panels = []
    if not any(one.has_several_networks for one in settings):
        panels = [
            Curves("training loss", "step", _runs(settings, "loss", 1), is_percent=False),
            Curves("validation score", "step", _runs(settings, "validation/score", 100)),
        ]
    if len(names) > 1 or not panels:
        panels += [Curves(name, "step", _runs(settings, f"validation/{name}/score", 100)) for name in names]
    return [panel for panel in panels if panel.lines]


def _runs(settings: Sequence[Setting], key: str, factor: float) -> list[Line]:
    lines = [
        Line(one.label, style, _points(record, key, factor), not record.is_finished)
        for style, one in enumerate(settings)
        for record in one.records
    ]
    return [line for line in lines if line.points]


def _points(record: Record, key: str, factor: float) -> list[Point]:
    points: list[Point] = []
    for line in record.metrics:
        if key in line:
            deviation = line.get(f"{key}/deviation")
            points.append(
                (line["step"], factor * line[key], None if deviation is None else factor * deviation)
            )
    return points


def size_curves(settings: Sequence[Setting]) -> list[Curves]:
    """Panels of score against size, one per algorithm and graph family."""
    panels: dict[str, list[Line]] = {}
    texts = set()
    for style, one in enumerate(settings):
        points: dict[str, list[Point]] = {}
        for point, scores in scores_by_size(one).items():
            mean, deviation = _percent(scores.score)
            points.setdefault(point.panel, []).append((point.size, mean, deviation))
        for name, panel_points in points.items():
            panels.setdefault(name, []).append(Line(one.label, style, panel_points))
            texts |= {name} if one.is_text else set()
    return [Curves(name, "length" if name in texts else "size n", lines) for name, lines in panels.items()]


def published_bars(settings: Sequence[Setting]) -> list[Bars]:
    """Panels of our test scores (bars) and published ones (marks); many algorithms are split by class."""
    ours = {one.label: test_scores(one) for one in settings}
    quantities = list(dict.fromkeys(quantity for scores in ours.values() for quantity in scores))
    groups: dict[str, list[Quantity]] = {}
    for one in quantities:
        title = family_of(one.name).replace("_", " ") if one.level == "algorithm" else "averages"
        groups.setdefault(title if len(quantities) > _MAX_ROWS else "test score", []).append(one)
    return [bars_panel(title, members, ours) for title, members in groups.items()]


def bars_panel(
    title: str, rows: Sequence[Quantity], ours: Mapping[str, Mapping[Quantity, SampleStatistics]]
) -> Bars:
    """A panel of quantities: our scores, by label and quantity, as bars, and published ones as marks."""
    bars = [
        Values(label, style, [_percent(scores[row]) if row in scores else None for row in rows])
        for style, (label, scores) in enumerate(ours.items())
        if any(row in scores for row in rows)
    ]
    return Bars(title, [row.label for row in rows], bars, list(_marks(rows)))


def _marks(rows: Sequence[Quantity]) -> Iterable[Values]:
    """Marks of each published method, with sourced and reconstructed numbers separate."""
    published = [row.published() for row in rows]
    methods = list(dict.fromkeys(method for by_method in published for method in by_method))
    all_methods = list(dict.fromkeys(one.method for one in all_published()))
    for method in methods:
        for sourced in (True, False):
            numbers = [by_method.get(method) for by_method in published]
            cells = [
                None if one is None or one.is_sourced is not sourced else (one.score, one.deviation)
                for one in numbers
            ]
            if any(cells):
                label = f"{method}, published" if sourced else f"{method}, reconstructed {RECONSTRUCTED}"
                yield Values(label, all_methods.index(method), cells, is_hollow=not sourced)


def _percent(one: SampleStatistics) -> tuple[float, float | None]:
    return 100 * one.mean, None if one.deviation is None else 100 * one.deviation
