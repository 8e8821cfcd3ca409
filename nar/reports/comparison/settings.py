"""Settings: runs that differ in their seed alone; what they are called, and how they differ."""

import dataclasses
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from nar.reports.comparison.records import Record

REPETITION = ("training.seed", "training.replicas")
"""Keys in which the repetitions of a setting may differ."""

IDLE = ("training.on_nonfinite", "training.nonfinite_limit")
"""Keys that say nothing about the steps that were taken."""

_MOST_DIFFERENCES = 3
"""In a label; where there are more, the name of a run says it in short."""


@dataclasses.dataclass(frozen=True)
class Setting:
    """Runs of one config and one version of nar, but for the seed.

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
    def repetitions(self) -> dict[int, Mapping[str, Any]]:
        """seed -> scores by split, task and size; of a seed that is there twice, those of its first run."""
        found: dict[int, Mapping[str, Any]] = {}
        for record in self.records:
            for seed, scores in record.repetitions:
                found.setdefault(seed, scores)
        return found

    @property
    def repeated_seeds(self) -> list[int]:
        """Seeds of which there are several finished runs, of which all but the first are left out."""
        seeds = [seed for record in self.records for seed, _ in record.repetitions]
        return sorted({seed for seed in seeds if seeds.count(seed) > 1})


def make_settings(records: Sequence[Record]) -> list[Setting]:
    """The settings in the order of their first runs."""
    groups: dict[str, list[Record]] = {}
    for record in records:
        values = {key: value for key, value in flat(record.config).items() if key not in (*REPETITION, *IDLE)}
        version = record.versions.get("nar", "unknown")
        groups.setdefault(json.dumps([version, values], sort_keys=True, default=str), []).append(record)
    members = list(groups.values())
    labels = _labels(members)
    return [Setting(label, tuple(group)) for label, group in zip(labels, members, strict=True)]


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
    configs = [group[0].config for group in groups]
    keys = [key for key in differing_keys(configs) if key not in (*REPETITION, *IDLE)]
    told = len(groups) > 1 and 0 < len(keys) <= _MOST_DIFFERENCES
    labels = []
    for group, config in zip(groups, configs, strict=True):
        if told and any(len(other) > 1 for other in groups):
            labels.append(", ".join(f"{short(key, keys)} {written(config, key)}" for key in keys))
        else:
            labels.append(_common_name([record.name for record in group]))
    names = [f"{label} ({group[0].name})" for label, group in zip(labels, groups, strict=True)]
    return [name if labels.count(label) > 1 else label for label, name in zip(labels, names, strict=True)]


def _common_name(names: Sequence[str]) -> str:
    """Of trials of a sweep their name without the seed, or else the first and how many follow."""
    if len(names) == 1:
        return names[0]
    without = {re.sub(r"(^|/|,)seed=\d+,?", r"\1", name).rstrip(",/") for name in names}
    return (
        without.pop() if len(without) == 1 and "" not in without else f"{names[0]} and {len(names) - 1} more"
    )
