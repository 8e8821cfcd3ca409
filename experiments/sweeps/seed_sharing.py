"""Trials that differ in their seed alone as one program: the replicas of one run."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from experiments.sweeps.hyper import Overrides
from experiments.sweeps.trial import SEED

NUM_SEEDS = "training.num_seeds"


def share_seeds(sweep: Sequence[Overrides], config: Mapping[str, Any]) -> list[Overrides]:
    """The sweep with one trial for all that differ in consecutive seeds; others stay as they are.

    Args:
      sweep: each trial is there once, and its values are checked.
      config: what trials have in common.

    Raises:
      ValueError: if networks of this kind have no replicas, or their number is set already.
    """
    usual = config["training"].get("num_seeds")
    if usual is None:
        raise ValueError("--share_seeds: language models are trained seed by seed")
    if usual != 1 or any(NUM_SEEDS in overrides for overrides in sweep):
        raise ValueError(f"--share_seeds sets {NUM_SEEDS}; leave it to it")
    groups: dict[str, list[Overrides]] = {}
    for index, overrides in enumerate(sweep):
        setting = repr(sorted(without_seed(overrides).items())) if SEED in overrides else f"alone {index}"
        groups.setdefault(setting, []).append(overrides)
    return [shared for group in groups.values() for shared in _share(group)]


def _share(group: Sequence[Overrides]) -> Iterator[Overrides]:
    """The trials of one setting, in the order of their seeds, each as long as seeds go on without a gap."""
    if SEED not in group[0]:
        yield from group
        return
    ordered = sorted(group, key=lambda overrides: overrides[SEED])
    start = 0
    for end in range(1, len(ordered) + 1):
        if end == len(ordered) or ordered[end][SEED] != ordered[end - 1][SEED] + 1:
            replicas = {NUM_SEEDS: end - start} if end - start > 1 else {}
            yield {**ordered[start], **replicas}
            start = end


def without_seed(overrides: Mapping[str, Any]) -> Overrides:
    """What a trial overrides but for its seed, and for how many share its program."""
    return {key: value for key, value in overrides.items() if key not in (SEED, NUM_SEEDS)}


def results_of_seeds(
    overrides: Mapping[str, Any], result: Mapping[str, Any] | None
) -> list[Mapping[str, Any] | None]:
    """The results of the trials that share a program, one for each seed.

    Args:
      overrides: of the shared trial.
      result: of it; None if it has none yet.
    """
    count = overrides.get(NUM_SEEDS, 1)
    if result is None:
        return [None] * count
    return list(result["seeds"]) if count > 1 else [result]
