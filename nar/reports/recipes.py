"""The study of recipes: changes of the default recipe at equal CPU time, from the results of trials.

`docs/recipes.json` has a row for each finished trial, and `docs/recipes.md` is made from these rows alone.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from nar.algorithms import FAMILIES, find_algorithm
from nar.reports.run_report.records import Record
from nar.reports.run_report.settings import flatten
from nar.reports.tables import NONE, Table, short_key
from nar.runs.config import RunConfig
from nar.runs.protocol_keys import describe_selection
from nar.statistics import sample_statistics

DATA, MARKDOWN = "recipes.json", "recipes.md"

TEST_SIZE = "64"

Row = Mapping[str, Any]
"""A trial: `algorithm`, `changes` (key -> value), `seed`, `cpu_minutes` (the budget), `test` and `validation`
(scores), `steps`, `selection`, `precision`, `hardware` and `nar` (its version)."""

_NOT_CHANGES = (
    "algorithms",
    "training.seed",
    "training.num_seeds",
    "training.steps",
    "training.max_cpu_minutes",
    "training.eval_every",
    "training.log_every",
)
"""Keys that are no part of a recipe: they say what is trained, for how long, and when it is scored."""

_INTRODUCTION = """\
# Recipes

Each trial trains one network on one algorithm and ends by its CPU time, compilation and validation included,
whatever the number of its steps. It differs from the default recipe
([configs/base.py](../configs/base.py)) by the changes that its row names. Scores are micro-F1 in percent, on
CLRS-30's test split at n = 64 and on its validation split at n = 16, mean ± sample standard deviation over
seeds. The best checkpoint is that of the best validation score unless the row says at which sizes it was
selected. Rows that lost to the default stay.

    python -m experiments.sweep --config=configs/recipes.py --sweep=configs/sweeps/recipes.py \\
        --workdir=runs/recipes --parallel=1
    python -m experiments.report --recipes runs/recipes

The second command adds the finished trials to [recipes.json](recipes.json) and makes this page from it alone;
without a folder it only makes the page.
"""


def rows_of(records: Sequence[Record]) -> list[dict[str, Any]]:
    """Rows of the finished trials that train one algorithm each, one for each seed.

    Raises:
      ValueError: if a trial has no time budget, or no test scores at n = 64.
    """
    rows = []
    for record in records:
        for seed, scores in record.scores_by_seed:
            rows.append(_row(record, seed, scores))
    return rows


def _row(record: Record, seed: int, scores: Mapping[str, Any]) -> dict[str, Any]:
    config, result = record.graph_config, record.result or {}
    budget = config.training.max_cpu_minutes
    tasks = list(scores["test"])
    if not budget or len(tasks) != 1 or TEST_SIZE not in scores["test"][tasks[0]]:
        raise ValueError(
            f"{record.path}: a trial of the study trains one algorithm for training.max_cpu_minutes and is "
            f"tested at n = {TEST_SIZE}"
        )
    (task,) = tasks
    validation = list(scores["validation"][task].values())
    return {
        "algorithm": task,
        "changes": _changes(config),
        "seed": seed,
        "cpu_minutes": budget,
        "test": scores["test"][task][TEST_SIZE]["score"],
        "validation": sum(one["score"] for one in validation) / len(validation),
        "steps": result["steps"],
        "selection": describe_selection(config.evaluation.to_dict()),
        "precision": result.get("precision", {}),
        "hardware": result.get("hardware"),
        "nar": record.versions.get("git", "unknown"),
    }


def _changes(config: RunConfig) -> dict[str, Any]:
    """Values that differ from those of the default recipe, by key."""
    default, values = flatten(RunConfig().to_dict()), flatten(config.to_dict())
    keys = dict.fromkeys((*values, *default))
    return {
        key: values.get(key)
        for key in keys
        if key not in _NOT_CHANGES
        and not key.startswith("training.tracker")
        and values.get(key) != default.get(key)
    }


def merge_rows(old: Sequence[Row], new: Sequence[Row]) -> list[Row]:
    """Rows in order, where a new row replaces an old one of the same trial."""
    rows = {_trial(row): row for row in (*old, *new)}
    return [rows[key] for key in sorted(rows)]


def _trial(row: Row) -> tuple[str, str, float, int]:
    return row["algorithm"], _recipe(row["changes"]), row["cpu_minutes"], row["seed"]


def _recipe(changes: Mapping[str, Any]) -> str:
    """A recipe in words: `default`, or its changes."""
    keys = list(changes)
    parts = [f"{short_key(key, keys)} {json.dumps(value)}" for key, value in changes.items()]
    return ", ".join(parts).replace('"', "") or "default"


def make_recipes(rows: Sequence[Row]) -> str:
    """The page on the study, as Markdown."""
    if not rows:
        return f"{_INTRODUCTION}\nNo trial has been run yet.\n"
    sections = [_INTRODUCTION]
    for budget in sorted({row["cpu_minutes"] for row in rows}):
        of_budget = [row for row in rows if row["cpu_minutes"] == budget]
        sections.append(f"## {budget:g} minutes of CPU time\n")
        sections.append(_conditions(of_budget))
        names = sorted({row["algorithm"] for row in of_budget}, key=_order)
        for name in names:
            table = _table([row for row in of_budget if row["algorithm"] == name])
            sections.append(f"### {name} ({find_algorithm(name).family.replace('_', ' ')})\n")
            sections.append(table.as_markdown())
    return "\n".join(sections)


def _order(name: str) -> tuple[int, str]:
    return FAMILIES.index(find_algorithm(name).family), name


def _conditions(rows: Sequence[Row]) -> str:
    """The precision and the hardware of the trials."""
    precisions = {
        f"{row['precision'].get('training', NONE)} in training, {row['precision'].get('scoring', NONE)} in "
        "scoring"
        for row in rows
    }
    machines = {json.dumps(row["hardware"], sort_keys=True).replace('"', "") for row in rows}
    return f"Matrix products: {'; '.join(sorted(precisions))}. Machine: {'; '.join(sorted(machines))}.\n"


def _table(rows: Sequence[Row]) -> Table:
    """The recipes of one algorithm, the best test score first."""
    by_recipe: dict[str, list[Row]] = {}
    for row in rows:
        by_recipe.setdefault(_recipe(row["changes"]), []).append(row)
    means = {name: sample_statistics([row["test"] for row in group]) for name, group in by_recipe.items()}
    cells = []
    for name in sorted(by_recipe, key=lambda name: (-means[name].mean, name)):
        group = by_recipe[name]
        validation = sample_statistics([row["validation"] for row in group])
        steps = sorted(row["steps"] for row in group)
        selection = "; ".join(sorted({row["selection"] for row in group}))
        span = f"{steps[0]:,}" if steps[0] == steps[-1] else f"{steps[0]:,} to {steps[-1]:,}"
        cells.append([name, str(means[name]), str(validation), str(len(group)), span, selection])
    header = ("recipe", "score, n = 64", "score, n = 16", "seeds", "steps", "selection")
    return Table(header, cells)
