"""Tables of the leaderboard: by algorithm, by class, by size, and the facts of each row."""

from collections.abc import Mapping, Sequence
from typing import Any

from nar.algorithms import FAMILIES
from nar.reports.leaderboard.columns import Column
from nar.reports.leaderboard.rows import Row
from nar.reports.run_report.published import Published
from nar.reports.run_report.quantities import CLASSES, TASKS, Quantity, clrs30_tasks
from nar.reports.run_report.tables import published_notes
from nar.reports.tables import NONE, Table
from nar.statistics import sample_statistics

SIZES = (16, 32, 64, 128)

REFERENCE = "Triplet-GMPNN"
"""The published method that ours are compared with in words."""


def algorithm_quantities() -> list[Quantity]:
    """The thirty algorithms, by class."""
    return [Quantity("algorithm", task) for family in FAMILIES for task in sorted(clrs30_tasks(family))]


def average_quantities() -> list[Quantity]:
    """The classes and the two averages."""
    classes = [Quantity("class", family) for family in FAMILIES if clrs30_tasks(family)]
    return [*classes, Quantity("average", TASKS), Quantity("average", CLASSES)]


def score_table(columns: Sequence[Column], quantities: Sequence[Quantity], caption: str) -> Table:
    """The table of our scores next to published ones, with a row per quantity."""
    ours = [column.quantities() for column in columns]
    published = {one: one.published() for one in quantities}
    methods = list(dict.fromkeys(method for by_method in published.values() for method in by_method))
    rows = [
        [
            one.label,
            *(str(scores.get(one, NONE)) for scores in ours),
            *(str(published[one].get(method, NONE)) for method in methods),
        ]
        for one in quantities
    ]
    shown: list[Published] = [one for by_method in published.values() for one in by_method.values()]
    header = ["", *(column.label for column in columns), *methods]
    return Table(header, rows, caption, published_notes(shown), "leaderboard")


def below_reference(columns: Sequence[Column]) -> list[str]:
    """A sentence per column: the algorithms that are below the published score of `REFERENCE`."""
    lines = []
    for column in columns:
        found = column.quantities()
        compared = {
            one.name: 100 * found[one].mean - one.published()[REFERENCE].score
            for one in algorithm_quantities()
            if one in found
        }
        below = [f"{name} ({gap:+.2f})" for name, gap in compared.items() if gap < 0]
        lines.append(
            f"{column.label}: {len(compared) - len(below)} of {len(compared)} algorithms reach the published "
            f"score of {REFERENCE}; below it: {', '.join(below) or 'none'}."
        )
    return lines


def size_table(columns: Sequence[Column]) -> Table:
    """The table of scores by size, over seeds."""
    rows = []
    for column in columns:
        for task in column.scores:
            rows.append([column.label, task, *(_at_size(column, task, size) for size in SIZES)])
    notes = [
        "Problems are drawn as the test split is, which is n = 64. In brackets: the number of instances, "
        "where fewer than there were scored, since long problems are slow."
    ]
    header = ["method", "algorithm", *(f"n = {size}" for size in SIZES)]
    return Table(header, rows, "Score by size, in percent.", notes if rows else [], "sizes")


def _at_size(column: Column, task: str, size: int) -> str:
    found = [one for row in column.rows if (one := row.score(task, size)) is not None]
    if not found:
        return NONE
    full = max(one[1] for row in column.rows if (one := row.score(task, 64)) is not None)
    fewest = min(count for _, count in found)
    limited = f" ({fewest})" if fewest < full else ""
    return f"{sample_statistics([score for score, _ in found])}{limited}"


def row_table(rows: Sequence[Row]) -> Table:
    """The table of how each row was made."""
    header = [
        "network",
        "method",
        "seed",
        "processor",
        "steps",
        "best step",
        "minutes",
        "CPU minutes",
        "cores",
        "products in training, scoring",
        "selection",
        "parameters",
        "nar",
        "remark",
    ]
    caption = "How each network was trained and selected. Minutes are wall-clock time on the named cores."
    return Table(header, [_facts(row) for row in rows], caption, name="rows")


def _facts(row: Row) -> list[str]:
    result, versions = row.result, row.record.versions
    precision = result["precision"]
    return [
        row.name,
        row.method,
        str(row.seed),
        str(row.record.config.get("model", {}).get("processor", NONE)),
        f"{result['steps']:,}",
        f"{result['best_step']:,}",
        _minutes(result, "seconds"),
        _minutes(result, "cpu_seconds"),
        _hardware(result.get("hardware", {})),
        f"{precision.get('training', NONE)}, {precision['scoring']}",
        str(result["selection"]),
        f"{result['parameters']:,}",
        f"{versions.get('nar', 'unknown')} ({versions.get('git', 'unknown')[:7]})",
        str(result.get("remark") or NONE),
    ]


def _minutes(result: Mapping[str, Any], key: str) -> str:
    return f"{result[key] / 60:.1f}" if key in result else NONE


def _hardware(hardware: Mapping[str, Any]) -> str:
    """The cores of a training on CPUs, or the accelerators."""
    if not hardware:
        return NONE
    if hardware["platform"] == "cpu":
        return f"{hardware['cpu_cores']} CPU"
    return f"{hardware['devices']} {hardware['device_kind']}"


def commands(rows: Sequence[Row]) -> list[tuple[str, str]]:
    """Name and seed of each row, and the command that trains it."""
    return [(f"{row.method}, {row.name}, seed {row.seed}", str(row.result["command"])) for row in rows]
