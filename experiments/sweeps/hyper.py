"""Hyperparameter lists: functions that build trials, as in big_vision and scenic.

A trial maps config keys to values.

A file in `configs/sweeps/` defines `get_sweep(hyper)`, which receives this module and returns such a list:

    def get_sweep(hyper):
        return hyper.product([
            hyper.sweep("training.learning_rate", [1e-3, 3e-4]),
            hyper.sweep("training.seed", range(5)),
        ])
"""

import itertools
from collections.abc import Iterable, Sequence
from typing import Any

Overrides = dict[str, Any]
"""Config key -> value, such as {"training.learning_rate": 1e-3}."""


def sweep(key: str, values: Iterable[Any]) -> list[Overrides]:
    """One trial for each value of one key."""
    return [{key: value} for value in values]


def product(sweeps: Iterable[Sequence[Overrides]]) -> list[Overrides]:
    """Cartesian product of sweeps; the last one varies fastest.

    Raises:
      ValueError: if two sweeps set the same key.
    """
    return [_merge(trials) for trials in itertools.product(*sweeps)]


def zipit(sweeps: Iterable[Sequence[Overrides]]) -> list[Overrides]:
    """Element-wise combination of sweeps: the first trials of all are merged, then the second, and so on.

    Raises:
      ValueError: if the sweeps differ in length, or two set the same key.
    """
    sweeps = list(sweeps)
    lengths = [len(trials) for trials in sweeps]
    if len(set(lengths)) > 1:
        raise ValueError(f"zipit needs sweeps of the same length, got {', '.join(map(str, lengths))}")
    return [_merge(trials) for trials in zip(*sweeps, strict=True)]


def chainit(sweeps: Iterable[Sequence[Overrides]]) -> list[Overrides]:
    """Concatenation of sweeps."""
    return list(itertools.chain.from_iterable(sweeps))


def _merge(trials: Iterable[Overrides]) -> Overrides:
    merged: Overrides = {}
    for overrides in trials:
        duplicates = sorted(merged.keys() & overrides)
        if duplicates:
            raise ValueError(f"{duplicates[0]} is set by two sweeps of one product or zip")
        merged |= overrides
    return merged
