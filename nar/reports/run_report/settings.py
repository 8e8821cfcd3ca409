"""Settings: runs that differ in their seed, or algorithm, alone; their names, and how they differ."""

import dataclasses
import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from nar.reports.run_report.records import Record

REPETITION = ("training.seed", "training.num_seeds")
"""Keys in which the repetitions of a setting may differ."""

ALGORITHMS = "algorithms"

IDLE = re.compile(r"training\.(on_nonfinite|nonfinite_limit|trackers|tracker_options)(\.|$)")
"""Keys that say nothing about the steps that were taken."""

_MOST_DIFFERENCES = 3
"""In a label; where there are more, the name of a run says it in short."""


@dataclasses.dataclass(frozen=True)
class Setting:
    """Runs of one config and version of nar, but for the seed; or the algorithm, if each has its own run.

    Attributes:
      label: by which the report calls it.
      records: its runs, finished or not.
    """

    label: str
    records: tuple[Record, ...]

    @property
    def is_text(self) -> bool:
        """Whether it is one of language models."""
        return self.records[0].is_text

    @property
    def has_several_networks(self) -> bool:
        """Whether each algorithm, or some of them, has a network of its own."""
        return len({tuple(record.algorithms) for record in self.records}) > 1

    @property
    def config(self) -> dict[str, Any]:
        """What its runs have in common, with all of their algorithms."""
        return _config(self.records)

    @property
    def repetitions(self) -> dict[int, dict[str, dict[str, Any]]]:
        """seed -> split -> task -> its scores; of a task that is there twice, those of the first run."""
        found: dict[int, dict[str, dict[str, Any]]] = {}
        for record in self.records:
            for seed, scores in record.repetitions:
                of_seed = found.setdefault(seed, {"validation": {}, "test": {}})
                for split, of_tasks in of_seed.items():
                    for task, sizes in scores[split].items():
                        of_tasks.setdefault(task, sizes)
        return found

    @property
    def repeated_seeds(self) -> list[int]:
        """Seeds of which an algorithm has several finished runs, of which all but the first are left out."""
        seen = [
            (seed, task)
            for one in self.records
            for seed, scores in one.repetitions
            for task in scores["test"]
        ]
        return sorted({seed for seed, task in seen if seen.count((seed, task)) > 1})


def make_settings(records: Sequence[Record]) -> list[Setting]:
    """The settings in the order of their first runs."""
    members = [part for group in _grouped(records, _but_for_algorithms) for part in _apart(group)]
    labels = _labels(members)
    return [Setting(label, tuple(group)) for label, group in zip(labels, members, strict=True)]


def _grouped(records: Sequence[Record], key: Callable[[Record], str]) -> list[list[Record]]:
    groups: dict[str, list[Record]] = {}
    for record in records:
        groups.setdefault(key(record), []).append(record)
    return list(groups.values())


def _but_for_algorithms(record: Record) -> str:
    """The same for runs of one version whose configs differ in nothing but seed and algorithms."""
    left_out = (*REPETITION, ALGORITHMS)
    values = {
        key: value
        for key, value in flat(record.config).items()
        if key not in left_out and not IDLE.match(key)
    }
    return json.dumps([record.versions.get("nar", "unknown"), values], sort_keys=True, default=str)


def _apart(group: list[Record]) -> list[list[Record]]:
    """Runs of different algorithms are one setting only if no algorithm is in two of them."""
    parts = _grouped(group, lambda record: json.dumps(record.algorithms))
    names = [name for part in parts for name in part[0].algorithms]
    return [group] if len(set(names)) == len(names) else parts


def _config(group: Sequence[Record]) -> dict[str, Any]:
    algorithms = list(dict.fromkeys(name for record in group for name in record.algorithms))
    return {**group[0].config, ALGORITHMS: algorithms}


def flat(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Values by dotted keys; empty dictionaries are values."""
    values: dict[str, Any] = {}
    for key, value in config.items():
        if isinstance(value, Mapping) and value:
            values |= flat(value, f"{prefix}{key}.")
        else:
            values[f"{prefix}{key}"] = value
    return values


def differing_keys(configs: Sequence[Mapping[str, Any]]) -> list[str]:
    """Dotted keys whose values are not the same in all configs, in the order of the configs."""
    flats = [flat(config) for config in configs]
    keys = dict.fromkeys(key for one in flats for key in one)
    return [key for key in keys if len({json.dumps(one.get(key, ...), default=str) for one in flats}) > 1]


def written(config: Mapping[str, Any], key: str) -> str:
    """The value of a dotted key as text; – where the config has no such key."""
    value = flat(config).get(key, "–")
    return value if isinstance(value, str) else json.dumps(value, default=str)


def short(key: str, keys: Sequence[str]) -> str:
    """The last part of a key, if no other key ends so."""
    last = key.rpartition(".")[2]
    return last if sum(other.rpartition(".")[2] == last for other in keys) == 1 else key


def _labels(groups: Sequence[Sequence[Record]]) -> list[str]:
    """Of several runs, what their setting has for itself; of one, its name; never the same for two."""
    configs = [_config(group) for group in groups]
    keys = [key for key in differing_keys(configs) if key not in REPETITION and not IDLE.match(key)]
    told = len(groups) > 1 and 0 < len(keys) <= _MOST_DIFFERENCES
    labels = []
    for group, config in zip(groups, configs, strict=True):
        if told and any(len(other) > 1 for other in groups):
            labels.append(", ".join(f"{short(key, keys)} {written(config, key)}" for key in keys))
        else:
            labels.append(_name(group))
    names = [f"{label} ({group[0].name})" for label, group in zip(labels, groups, strict=True)]
    return [name if labels.count(label) > 1 else label for label, name in zip(labels, names, strict=True)]


def _name(group: Sequence[Record]) -> str:
    """That of a run; of several the name of the trials but for the seed, the processor, or the first name."""
    names = [record.name for record in group]
    if len(names) == 1:
        return names[0]
    without = {re.sub(r"(^|/|,)(?:seed|num_seeds)=\d+,?", r"\1", name).rstrip(",/") for name in names}
    if len(without) == 1 and "" not in without:
        return without.pop()
    if len({tuple(record.algorithms) for record in group}) > 1:
        return group[0].config.get("model", {}).get("processor", f"{names[0]} and others")
    return f"{names[0]} and {len(names) - 1} more"
