"""The tables of a report."""

from collections.abc import Iterable, Mapping, Sequence

from nar.reports.evaluation_table import metric_cell
from nar.reports.run_report.published import RECONSTRUCTED, Published
from nar.reports.run_report.quantities import Quantity, test_scores, validation_score
from nar.reports.run_report.settings import SEED_KEYS, Setting, differing_keys, format_value
from nar.reports.run_report.sizes import scores_by_size
from nar.reports.tables import NONE, Table, short_key
from nar.statistics import SampleStatistics


def score_table(settings: Sequence[Setting]) -> Table:
    """Makes the table of our test scores and published ones; the longer of the two axes becomes the rows."""
    ours = {one.label: test_scores(one) for one in settings}
    quantities = list(dict.fromkeys(quantity for scores in ours.values() for quantity in scores))
    published = {quantity: quantity.published() for quantity in quantities}
    methods = list(dict.fromkeys(method for by_method in published.values() for method in by_method))
    caption = "Test scores in percent: mean ± sample standard deviation over seeds."
    if not quantities:
        return Table([""], [], caption, ["No run is finished, so there is no score yet."], "scores")
    columns = []
    for one in settings:
        scores = [str(ours[one.label].get(quantity, NONE)) for quantity in quantities]
        counts = [str(validation_score(one) or NONE), str(len(one.scores_by_seed) or NONE)]
        columns.append((one.label, [*scores, *counts]))
    for method in methods:
        scores = [str(published[quantity].get(method, NONE)) for quantity in quantities]
        columns.append((method, [*scores, NONE, NONE]))
    labels = [*(quantity.label for quantity in quantities), "validation", "seeds"]
    shown = [one for by_method in published.values() for one in by_method.values()]
    header, rows = _longer_axis_as_rows(columns, labels)
    best = [
        (number, column + 1) if len(labels) >= len(columns) else (column, number + 1)
        for number, quantity in enumerate(quantities)
        for column in _best_columns(settings, methods, ours, quantity)
    ]
    return Table(header, rows, caption, published_notes(shown), "scores", best)


def _best_columns(
    settings: Sequence[Setting],
    methods: Sequence[str],
    ours: Mapping[str, Mapping[Quantity, SampleStatistics]],
    quantity: Quantity,
) -> list[int]:
    """Indices of the settings and methods with the best score, if at least two have one."""
    published = quantity.published()
    scores = {
        number: round(100 * ours[one.label][quantity].mean, 2)
        for number, one in enumerate(settings)
        if quantity in ours[one.label]
    }
    for number, method in enumerate(methods, len(settings)):
        if method in published:
            scores[number] = round(published[method].score, 2)
    best = max(scores.values(), default=0.0)
    return [number for number, score in scores.items() if score == best] if len(scores) > 1 else []


def published_notes(shown: Sequence[Published]) -> list[str]:
    """Notes on the sources of published numbers, and on those that are reconstructed."""
    if not shown:
        return []
    sources: dict[str, list[str]] = {}
    for one in shown:
        methods = sources.setdefault(one.source, [])
        if one.method not in methods:
            methods.append(one.method)
    listed = "; ".join(f"{', '.join(methods)}: {source}" for source, methods in sources.items())
    notes = [f"Published results on CLRS-30 at n = 64: {listed}."]
    if not all(one.is_sourced for one in shown):
        notes.append(
            f"{RECONSTRUCTED} reconstructed, not read in the publication row by row: recalled scores of "
            "single algorithms that reproduce the published class means to 0.01."
        )
    return notes


def size_table(settings: Sequence[Setting]) -> Table:
    """Makes the table of scores and metrics by size."""
    points = [(one, point, scores) for one in settings for point, scores in scores_by_size(one).items()]
    metrics = list(dict.fromkeys(name for _, _, scores in points for name in scores.metrics))
    rows = [
        [
            setting.label,
            point.panel,
            str(point.size),
            str(scores.score),
            *(metric_cell(name, scores.metrics.get(name)) for name in metrics),
            scores.over or NONE,
        ]
        for setting, point, scores in points
    ]
    header = ["run", "problems", "n", "score", *metrics, "deviation over"]
    caption = "Scores and metrics by size, in percent unless custom: mean ± sample standard deviation."
    return Table(header, rows, caption, name="sizes")


def config_table(settings: Sequence[Setting]) -> Table:
    """Makes the table of config keys whose values differ between settings."""
    configs = [one.config for one in settings]
    keys = [key for key in differing_keys(configs) if key not in SEED_KEYS]
    columns = [
        (one.label, [format_value(config, key) for key in keys])
        for one, config in zip(settings, configs, strict=True)
    ]
    header, rows = _longer_axis_as_rows(columns, [short_key(key, keys) for key in keys])
    return Table(header, rows, "Config keys that differ between settings.", name="configs")


def run_table(settings: Sequence[Setting]) -> Table:
    """Makes the table of runs: status, cost and version of each."""
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
    return Table(header, rows, "The runs.", name="runs")


def _best(metrics: Iterable[Mapping[str, float]]) -> str:
    scores = [line["validation/score"] for line in metrics if "validation/score" in line]
    return f"{100 * max(scores):.2f}" if scores else NONE


def _longer_axis_as_rows(
    columns: Sequence[tuple[str, Sequence[str]]], labels: Sequence[str]
) -> tuple[list[str], list[list[str]]]:
    """Header and rows: a row per label, or a row per column if there are more columns."""
    if len(labels) >= len(columns):
        rows = zip(*(cells for _, cells in columns), strict=True)
        return ["", *(name for name, _ in columns)], [
            [label, *row] for label, row in zip(labels, rows, strict=True)
        ]
    return ["", *labels], [[name, *cells] for name, cells in columns]
