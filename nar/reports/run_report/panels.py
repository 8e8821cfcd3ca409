"""What is drawn, as plain numbers: learning curves, scores by size, and bars beside published numbers."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence

from nar.reports.run_report.published import RECONSTRUCTED, all_published
from nar.reports.run_report.quantities import Quantity, family_of, test_scores
from nar.reports.run_report.records import Record
from nar.reports.run_report.settings import Setting
from nar.reports.run_report.sizes import measured
from nar.statistics import SampleStatistics

_MOST_ROWS = 10
"""Of bars, before there is a panel for each class."""

Point = tuple[float, float, float | None]
"""x, y, and the deviation of y, if there is one."""


@dataclasses.dataclass(frozen=True)
class Line:
    """A line of a panel.

    Attributes:
      label: in the legend, once for all lines that have it.
      style: a number; color, dashes and marker follow from it.
      points: in the order of x.
      is_open: whether it is a run's that is not finished; its last point is crossed.
    """

    label: str
    style: int
    points: Sequence[Point]
    is_open: bool = False


@dataclasses.dataclass(frozen=True)
class Curves:
    """A panel of lines.

    Attributes:
      title: above it.
      x_label: of its axis.
      lines: those that have points.
      is_percent: whether y goes from 0 to 100; if not, it is a loss on a logarithmic axis.
    """

    title: str
    x_label: str
    lines: Sequence[Line]
    is_percent: bool = True


@dataclasses.dataclass(frozen=True)
class Values:
    """Bars, or marks, of one label: a value and its deviation, or None, for each row.

    Attributes:
      label: in the legend.
      style: as that of a line.
      cells: one for each row.
      is_hollow: of marks, whether the numbers are reconstructed, not read where they were published.
    """

    label: str
    style: int
    cells: Sequence[tuple[float, float | None] | None]
    is_hollow: bool = False


@dataclasses.dataclass(frozen=True)
class Bars:
    """A panel of bars, of ours, with marks of others.

    Attributes:
      title: above it.
      rows: what is scored.
      ours: bars.
      others: marks.
    """

    title: str
    rows: Sequence[str]
    ours: Sequence[Values]
    others: Sequence[Values]


Panel = Curves | Bars


def learning_curves(settings: Sequence[Setting]) -> list[Curves]:
    """Loss, mean validation score and, of several algorithms, the score of each; a line for each run.

    Where algorithms have networks of their own, each algorithm's score alone.
    """
    tasks = dict.fromkeys(
        key for one in settings for record in one.records for line in record.metrics for key in line
    )
    scores = [key for key in tasks if key.endswith("/score") and key.startswith("validation/")]
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
    """Score against size, a panel for each algorithm and family of graphs."""
    panels: dict[str, list[Line]] = {}
    texts = set()
    for style, one in enumerate(settings):
        points: dict[str, list[Point]] = {}
        for place, found in measured(one).items():
            mean, deviation = _percent(found.spreads["score"])
            points.setdefault(place.panel, []).append((place.size, mean, deviation))
        for name, of_panel in points.items():
            panels.setdefault(name, []).append(Line(one.label, style, of_panel))
            texts |= {name} if one.is_text else set()
    return [Curves(name, "length" if name in texts else "size n", lines) for name, lines in panels.items()]


def published_bars(settings: Sequence[Setting]) -> list[Bars]:
    """Our test scores as bars beside those of others as marks; many algorithms are parted by class."""
    ours = {one.label: test_scores(one) for one in settings}
    quantities = list(dict.fromkeys(quantity for scores in ours.values() for quantity in scores))
    groups: dict[str, list[Quantity]] = {}
    for one in quantities:
        title = family_of(one.name).replace("_", " ") if one.level == "algorithm" else "averages"
        groups.setdefault(title if len(quantities) > _MOST_ROWS else "test score", []).append(one)
    return [_bars(title, members, ours) for title, members in groups.items()]


def _bars(
    title: str, rows: Sequence[Quantity], ours: Mapping[str, Mapping[Quantity, SampleStatistics]]
) -> Bars:
    bars = [
        Values(label, style, [_percent(scores[row]) if row in scores else None for row in rows])
        for style, (label, scores) in enumerate(ours.items())
        if any(row in scores for row in rows)
    ]
    return Bars(title, [row.label for row in rows], bars, list(_marks(rows)))


def _marks(rows: Sequence[Quantity]) -> Iterable[Values]:
    """Of each method the numbers that were read, and, apart from them, those that were not."""
    others = [row.published() for row in rows]
    methods = list(dict.fromkeys(method for found in others for method in found))
    everyone = list(dict.fromkeys(one.method for one in all_published()))
    for method in methods:
        for sourced in (True, False):
            found = [one.get(method) for one in others]
            cells = [
                None if one is None or one.is_sourced is not sourced else (one.score, one.deviation)
                for one in found
            ]
            if any(cells):
                label = f"{method}, published" if sourced else f"{method}, reconstructed {RECONSTRUCTED}"
                yield Values(label, everyone.index(method), cells, is_hollow=not sourced)


def _percent(one: SampleStatistics) -> tuple[float, float | None]:
    return 100 * one.mean, None if one.deviation is None else 100 * one.deviation
