"""Loss weights: from weights by stage, task or probe to one weight per loss."""

import math
from collections.abc import Iterable, Mapping

from nar.losses.terms import AUXILIARY, RECONSTRUCTION
from nar.plugins import unknown_name
from nar.specs import Spec, Stage


def resolve_loss_weights(
    spec: Spec, task: str, names: Iterable[str], weights: Mapping[str, float]
) -> dict[str, float]:
    """The weight of each loss of a task, by name: the product of all weights that apply to it.

    Args:
      spec: spec of the task, after transforms.
      task: name of the algorithm.
      names: names of losses, as in `loss_terms`, or of a custom objective.
      weights: weights by stage ("hint", "answer", "output", "auxiliary" or "reconstruction"), by task
        ("bfs"), by probe ("bfs/pi_h") or by another loss ("auxiliary/gate", "bfs/auxiliary/gate",
        "consistency").
    """

    def weight_of(name: str) -> float:
        own = () if name in spec else (name,)
        keys = dict.fromkeys((_stage(spec, name), task, f"{task}/{name}", *own))
        return math.prod(weights.get(key, 1.0) for key in keys)

    return {name: weight_of(name) for name in names}


def check_loss_weights(
    weights: Mapping[str, float], specs: Mapping[str, Spec], names: Mapping[str, Iterable[str]]
) -> None:
    """Checks the keys and values of loss weights.

    Args:
      weights: weights as in `resolve_loss_weights`.
      specs: specs by task, after transforms.
      names: names of the losses of each task.

    Raises:
      ValueError: if a weight has an unknown key, or is negative or not a finite number.
    """
    known = known_loss_weights(specs, names)
    for key, value in weights.items():
        if key not in known:
            raise ValueError(unknown_name("loss weight", key, known))
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
            raise ValueError(f"loss weight {key} must be a finite number >= 0, got {value!r}")


def known_loss_weights(specs: Mapping[str, Spec], names: Mapping[str, Iterable[str]]) -> list[str]:
    """Keys that loss weights may have: stages, tasks, losses of a task, and losses that are not of probes."""
    stages = (Stage.HINT.value, Stage.OUTPUT.value, AUXILIARY)
    used = {_stage(specs[task], name) for task, losses in names.items() for name in losses}
    stages = (*stages, *(stage for stage in (Stage.ANSWER.value, RECONSTRUCTION) if stage in used))
    by_task = [f"{task}/{name}" for task, losses in names.items() for name in losses]
    own = [name for task, losses in names.items() for name in losses if name not in specs[task]]
    return list(dict.fromkeys((*stages, *names, *by_task, *own)))


def _stage(spec: Spec, name: str) -> str:
    if name in spec:
        return spec[name].stage.value
    prefix = name.partition("/")[0]
    return prefix if prefix != name and prefix in (AUXILIARY, RECONSTRUCTION) else name
