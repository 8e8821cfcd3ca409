"""Merging of trials that differ only in their seed into one run with several seeds."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from experiments.sweeps.hyper import Overrides
from experiments.sweeps.trial import SEED

NUM_SEEDS = "training.num_seeds"


def share_seeds(sweep: Sequence[Overrides], config: Mapping[str, Any]) -> list[Overrides]:
    """Merges trials that differ only in consecutive seeds; other trials are left unchanged.

    Args:
      sweep: trials without duplicates, with valid values.
      config: base config of the trials.

    Raises:
      ValueError: if models of this kind cannot train several seeds in one run, or `num_seeds` is set already.
    """
    num_seeds = config["training"].get("num_seeds")
    if num_seeds is None:
        raise ValueError("--share_seeds: language models train one seed per run")
    if num_seeds != 1 or any(NUM_SEEDS in overrides for overrides in sweep):
        raise ValueError(f"--share_seeds sets {NUM_SEEDS}; do not set it as well")
    groups: dict[str, list[Overrides]] = {}
    for index, overrides in enumerate(sweep):
        setting = repr(sorted(without_seed(overrides).items())) if SEED in overrides else f"single {index}"
        groups.setdefault(setting, []).append(overrides)
    return [merged for group in groups.values() for merged in _merge_consecutive(group)]


def _merge_consecutive(group: Sequence[Overrides]) -> Iterator[Overrides]:
    """Yields one trial per maximal range of consecutive seeds of one setting, sorted by seed."""
    if SEED not in group[0]:
        yield from group
        return
    ordered = sorted(group, key=lambda overrides: overrides[SEED])
    start = 0
    for end in range(1, len(ordered) + 1):
        if end == len(ordered) or ordered[end][SEED] != ordered[end - 1][SEED] + 1:
            num_seeds = {NUM_SEEDS: end - start} if end - start > 1 else {}
            yield {**ordered[start], **num_seeds}
            start = end


def without_seed(overrides: Mapping[str, Any]) -> Overrides:
    """Overrides of a trial without its seed and number of seeds."""
    return {key: value for key, value in overrides.items() if key not in (SEED, NUM_SEEDS)}


def results_of_seeds(
    overrides: Mapping[str, Any], result: Mapping[str, Any] | None
) -> list[Mapping[str, Any] | None]:
    """Splits the result of a merged trial into one result per seed.

    Args:
      overrides: overrides of the merged trial.
      result: its result; None before it is finished.
    """
    count = overrides.get(NUM_SEEDS, 1)
    if result is None:
        return [None] * count
    return list(result.get("seeds", [result])) if count > 1 else [result]
