"""Loss weights: from weights by stage, task or probe to one weight per loss."""

import math
from collections.abc import Iterable, Mapping

from nar.losses.counts import AUXILIARY
from nar.specs import Spec, Stage


def resolve_loss_weights(
    spec: Spec, task: str, names: Iterable[str], weights: Mapping[str, float]
) -> dict[str, float]:
    """The weight of each loss of a task, by name: the product of all weights that apply to it.

    Args:
      spec: spec of the task, after transforms.
      task: name of the algorithm.
      names: names of losses, as in `losses_by_probe`.
      weights: weights by stage ("hint", "output" or "auxiliary"), by task ("bfs"), by probe ("bfs/pi_h") or
        by auxiliary loss ("auxiliary/gate", "bfs/auxiliary/gate").
    """

    def weight_of(name: str) -> float:
        stage = spec[name].stage.value if name in spec else AUXILIARY
        keys = dict.fromkeys((stage, task, f"{task}/{name}", name if stage == AUXILIARY else stage))
        return math.prod(weights.get(key, 1.0) for key in keys)

    return {name: weight_of(name) for name in names}


def check_loss_weights(weights: Mapping[str, float], names: Mapping[str, Iterable[str]]) -> None:
    """Checks the keys and values of loss weights.

    Args:
      weights: weights as in `resolve_loss_weights`.
      names: names of the losses of each task, as in `losses_by_probe`.

    Raises:
      ValueError: if a weight has an unknown key, or is negative or not a finite number.
    """
    stages = (Stage.HINT.value, Stage.OUTPUT.value, AUXILIARY)
    by_task = [f"{task}/{name}" for task, losses in names.items() for name in losses]
    auxiliary = [name for losses in names.values() for name in losses if name.startswith(f"{AUXILIARY}/")]
    known = dict.fromkeys((*stages, *names, *by_task, *auxiliary))
    for key, value in weights.items():
        if key not in known:
            raise ValueError(f"unknown loss weight {key!r}; known: {', '.join(known)}")
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
            raise ValueError(f"loss weight {key} must be a finite number >= 0, got {value!r}")
