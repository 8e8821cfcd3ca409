"""Settings: groups of runs that differ only in their seed or algorithm; their labels and differences."""

import dataclasses
import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from nar.reports.run_report.records import Record
from nar.reports.tables import NONE, short_key
from nar.runs.protocol_keys import uses_clrs30_protocol

SEED_KEYS = ("training.seed", "training.num_seeds")
"""Config keys in which the runs of a setting may differ."""

ALGORITHMS = "algorithms"

IGNORED_KEYS = re.compile(r"training\.(on_nonfinite|nonfinite_limit|trackers|tracker_options)(\.|$)")
"""Config keys that do not affect the training steps."""

_MAX_DIFFERENCES = 3
"""Most differing keys in a label; with more, settings are labeled by the names of their runs."""


@dataclasses.dataclass(frozen=True)
class Setting:
    """Runs of one config and version of nar that differ only in seed, or in algorithm if each has a run.

    Attributes:
      label: name of the setting in the report.
      records: its runs, finished or not.
    """

    label: str
    records: tuple[Record, ...]

    @property
    def is_text(self) -> bool:
        """True if the runs are language models."""
        return self.records[0].is_text

    @property
    def is_clrs30(self) -> bool:
        """True if scores are comparable with publications: graph networks with the protocol of CLRS-30."""
        return not self.is_text and uses_clrs30_protocol(self.records[0].graph_config)

    @property
    def has_several_networks(self) -> bool:
        """True if the algorithms are trained by several networks rather than one."""
        return len({tuple(record.algorithms) for record in self.records}) > 1

    @property
    def config(self) -> dict[str, Any]:
        """The config shared by the runs, with the algorithms of all of them."""
        return _config(self.records)

    @property
    def scores_by_seed(self) -> dict[int, dict[str, dict[str, Any]]]:
        """seed -> split -> task -> scores; for a task with several runs of a seed, those of the first run."""
        by_seed: dict[int, dict[str, dict[str, Any]]] = {}
        for record in self.records:
            for seed, scores in record.scores_by_seed:
                splits = by_seed.setdefault(seed, {"validation": {}, "test": {}})
                for split, by_task in splits.items():
                    for task, sizes in scores[split].items():
                        by_task.setdefault(task, sizes)
        return by_seed

    @property
    def duplicate_seeds(self) -> list[int]:
        """Seeds with several finished runs of one algorithm, all but the first of which are ignored."""
        pairs = [
            (seed, task)
            for one in self.records
            for seed, scores in one.scores_by_seed
            for task in scores["test"]
        ]
        return sorted({seed for seed, task in pairs if pairs.count((seed, task)) > 1})


def make_settings(records: Sequence[Record]) -> list[Setting]:
    """Groups runs into settings, in the order of their first runs."""
    members = [part for group in _grouped(records, _setting_key) for part in _split_overlapping(group)]
    labels = _labels(members)
    return [Setting(label, tuple(group)) for label, group in zip(labels, members, strict=True)]


def _grouped(records: Sequence[Record], key: Callable[[Record], str]) -> list[list[Record]]:
    groups: dict[str, list[Record]] = {}
    for record in records:
        groups.setdefault(key(record), []).append(record)
    return list(groups.values())


def _setting_key(record: Record) -> str:
    """Grouping key, equal for runs of one version whose configs differ only in seed and algorithms."""
    ignored = (*SEED_KEYS, ALGORITHMS)
    values = {
        key: value
        for key, value in flatten(record.config).items()
        if key not in ignored and not IGNORED_KEYS.match(key)
    }
    return json.dumps([record.versions.get("nar", "unknown"), values], sort_keys=True, default=str)


def _split_overlapping(group: list[Record]) -> list[list[Record]]:
    """Splits a group by algorithms, unless every algorithm is in only one of the subgroups."""
    parts = _grouped(group, lambda record: json.dumps(record.algorithms))
    names = [name for part in parts for name in part[0].algorithms]
    return [group] if len(set(names)) == len(names) else parts


def _config(group: Sequence[Record]) -> dict[str, Any]:
    algorithms = list(dict.fromkeys(name for record in group for name in record.algorithms))
    return {**group[0].config, ALGORITHMS: algorithms}


def flatten(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Flattens a config to values by dotted key; empty dictionaries are kept as values."""
    values: dict[str, Any] = {}
    for key, value in config.items():
        if isinstance(value, Mapping) and value:
            values |= flatten(value, f"{prefix}{key}.")
        else:
            values[f"{prefix}{key}"] = value
    return values


def differing_keys(configs: Sequence[Mapping[str, Any]]) -> list[str]:
    """Dotted keys whose values differ between configs, in the order of the configs."""
    flats = [flatten(config) for config in configs]
    keys = dict.fromkeys(key for one in flats for key in one)
    return [key for key in keys if len({json.dumps(one.get(key, ...), default=str) for one in flats}) > 1]


def format_value(config: Mapping[str, Any], key: str) -> str:
    """Formats the value of a dotted key; – if the config has no such key."""
    value = flatten(config).get(key, NONE)
    return value if isinstance(value, str) else json.dumps(value, default=str)


def _labels(groups: Sequence[Sequence[Record]]) -> list[str]:
    """Unique labels: the differing config values if a setting has several runs, otherwise the runs' names."""
    configs = [_config(group) for group in groups]
    keys = [key for key in differing_keys(configs) if key not in SEED_KEYS and not IGNORED_KEYS.match(key)]
    few_keys = len(groups) > 1 and 0 < len(keys) <= _MAX_DIFFERENCES
    labels = []
    for group, config in zip(groups, configs, strict=True):
        if few_keys and any(len(other) > 1 for other in groups):
            labels.append(", ".join(f"{short_key(key, keys)} {format_value(config, key)}" for key in keys))
        else:
            labels.append(_name(group))
    names = [f"{label} ({group[0].name})" for label, group in zip(labels, groups, strict=True)]
    return [name if labels.count(label) > 1 else label for label, name in zip(labels, names, strict=True)]


def _name(group: Sequence[Record]) -> str:
    """Name of a single run; of several, the trial name without the seed, the processor, or the first name."""
    names = [record.name for record in group]
    if len(names) == 1:
        return names[0]
    without = {re.sub(r"(^|/|,)(?:seed|num_seeds)=\d+,?", r"\1", name).rstrip(",/") for name in names}
    if len(without) == 1 and "" not in without:
        return without.pop()
    if len({tuple(record.algorithms) for record in group}) > 1:
        return f"{names[0]} and others" if group[0].is_text else group[0].config["model"]["processor"]
    return f"{names[0]} and {len(names) - 1} more"
