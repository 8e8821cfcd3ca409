"""Lists of trials, in the habit of big_vision and scenic: a trial is a dictionary of config keys and values.

`get_sweep(hyper)` of a file in `configs/sweeps/` gets this module and returns such a list:

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
"""config key -> value, such as {"training.learning_rate": 1e-3}."""


def sweep(key: str, values: Iterable[Any]) -> list[Overrides]:
    """A trial for each value of one key."""
    return [{key: value} for value in values]


def product(sweeps: Iterable[Sequence[Overrides]]) -> list[Overrides]:
    """Every trial of the first sweep with every one of the second, and so on; the last changes fastest.

    Raises:
      ValueError: if two sweeps set the same key.
    """
    return [_joined(trials) for trials in itertools.product(*sweeps)]


def zipit(sweeps: Iterable[Sequence[Overrides]]) -> list[Overrides]:
    """The first trials of all sweeps as one, then the second ones, and so on.

    Raises:
      ValueError: if the sweeps differ in length, or two set the same key.
    """
    sweeps = list(sweeps)
    lengths = [len(trials) for trials in sweeps]
    if len(set(lengths)) > 1:
        raise ValueError(f"zipit needs sweeps of one length, got {', '.join(map(str, lengths))}")
    return [_joined(trials) for trials in zip(*sweeps, strict=True)]


def chainit(sweeps: Iterable[Sequence[Overrides]]) -> list[Overrides]:
    """The trials of the first sweep, then those of the second, and so on."""
    return list(itertools.chain.from_iterable(sweeps))


def _joined(trials: Iterable[Overrides]) -> Overrides:
    joined: Overrides = {}
    for overrides in trials:
        twice = sorted(joined.keys() & overrides)
        if twice:
            raise ValueError(f"{twice[0]} is set by two sweeps of one product or zip")
        joined |= overrides
    return joined
