"""The tables of a report as plain cells, which are then written as text, Markdown, LaTeX or HTML."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence

from nar.reports.run_report.published import RECONSTRUCTED, Published
from nar.reports.run_report.quantities import test_scores, validation_score
from nar.reports.run_report.settings import REPETITION, Setting, differing_keys, short, written
from nar.reports.run_report.sizes import measured

NONE = "–"


@dataclasses.dataclass(frozen=True)
class Table:
    """Cells with a caption.

    Attributes:
      name: of the table, one word.
      caption: what it shows.
      header: of its columns; the first is that of the labels.
      rows: of as many cells each.
      notes: what a reader must know of its cells.
    """

    name: str
    caption: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = ()


def score_table(settings: Sequence[Setting]) -> Table:
    """Test scores of settings beside published ones; what there is more of becomes rows."""
    ours = {one.label: test_scores(one) for one in settings}
    quantities = list(dict.fromkeys(quantity for scores in ours.values() for quantity in scores))
    others = {quantity: quantity.published() for quantity in quantities}
    methods = list(dict.fromkeys(method for found in others.values() for method in found))
    caption = "Test scores in percent: mean ± sample standard deviation over seeds."
    if not quantities:
        return Table("scores", caption, [""], [], ["No run is finished, so there is no score yet."])
    columns = []
    for one in settings:
        scores = [str(ours[one.label].get(quantity, NONE)) for quantity in quantities]
        counts = [str(validation_score(one) or NONE), str(len(one.repetitions) or NONE)]
        columns.append((one.label, [*scores, *counts]))
    for method in methods:
        scores = [str(others[quantity].get(method, NONE)) for quantity in quantities]
        columns.append((method, [*scores, NONE, NONE]))
    labels = [*(quantity.label for quantity in quantities), "validation", "seeds"]
    shown = [one for found in others.values() for one in found.values()]
    header, rows = _along_the_longer(columns, labels)
    return Table("scores", caption, header, rows, published_notes(shown))


def published_notes(shown: Sequence[Published]) -> list[str]:
    """Where the numbers of others come from, and which of them were not read there."""
    if not shown:
        return []
    sources: dict[str, list[str]] = {}
    for one in shown:
        methods = sources.setdefault(one.source, [])
        if one.method not in methods:
            methods.append(one.method)
    said = "; ".join(f"{', '.join(methods)}: {source}" for source, methods in sources.items())
    notes = [f"Not ours, CLRS-30 at n = 64: {said}."]
    if not all(one.is_sourced for one in shown):
        notes.append(
            f"{RECONSTRUCTED} reconstructed, not read in the publication row by row: recalled figures of "
            "single algorithms that give the published means of classes to 0.01."
        )
    return notes


def size_table(settings: Sequence[Setting]) -> Table:
    """What the evaluation suite found, by size."""
    rows = []
    for setting in settings:
        for place, one in measured(setting).items():
            spreads = [str(one.spreads.get(name, NONE)) for name in ("score", "exact", "valid")]
            rows.append([setting.label, place.panel, str(place.size), *spreads, one.over or NONE])
    header = ["run", "problems", "n", "score", "exact", "valid", "deviation over"]
    caption = "Score, exact and valid instances by size, in percent: mean ± sample standard deviation."
    return Table("sizes", caption, header, rows)


def config_table(settings: Sequence[Setting]) -> Table:
    """Keys whose values are not the same for all settings."""
    configs = [one.config for one in settings]
    keys = [key for key in differing_keys(configs) if key not in REPETITION]
    columns = [
        (one.label, [written(config, key) for key in keys])
        for one, config in zip(settings, configs, strict=True)
    ]
    header, rows = _along_the_longer(columns, [short(key, keys) for key in keys])
    return Table("configs", "What the configs do not have in common.", header, rows)


def run_table(settings: Sequence[Setting]) -> Table:
    """A row for each run: how far it is, what it took, and what wrote it."""
    rows = []
    for setting in settings:
        for record in setting.records:
            result, versions = record.result or {}, record.versions
            rows.append(
                [
                    record.name,
                    setting.label,
                    record.status,
                    ", ".join(map(str, record.seeds)),
                    f"{result['parameters']:,}" if "parameters" in result else NONE,
                    f"{result['seconds']:,.0f} s" if "seconds" in result else NONE,
                    _best(record.metrics),
                    f"{versions.get('nar', 'unknown')} ({versions.get('git', 'unknown')[:7]})",
                    str(record.path),
                ]
            )
    header = ["run", "setting", "status", "seeds", "parameters", "time", "best validation", "nar", "folder"]
    return Table("runs", "The runs.", header, rows)


def _best(metrics: Iterable[Mapping[str, float]]) -> str:
    scores = [line["validation/score"] for line in metrics if "validation/score" in line]
    return f"{100 * max(scores):.2f}" if scores else NONE


def _along_the_longer(
    columns: Sequence[tuple[str, Sequence[str]]], labels: Sequence[str]
) -> tuple[list[str], list[list[str]]]:
    """Header and rows: a row for each label, or for each column if there are more of these."""
    if len(labels) >= len(columns):
        rows = zip(*(cells for _, cells in columns), strict=True)
        return ["", *(name for name, _ in columns)], [
            [label, *row] for label, row in zip(labels, rows, strict=True)
        ]
    return ["", *labels], [[name, *cells] for name, cells in columns]
