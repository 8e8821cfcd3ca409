"""The factor of each loss in the total."""

import math
from collections.abc import Iterable, Mapping

from nar.losses.counts import AUXILIARY
from nar.specs import Spec, Stage


def resolve_loss_weights(
    spec: Spec, task: str, names: Iterable[str], weights: Mapping[str, float]
) -> dict[str, float]:
    """The factor of each loss of a task: the product of all weights that are meant for it.

    Args:
      spec: of the task, after transforms.
      task: name of the algorithm.
      names: of losses, as `losses_by_probe` has them.
      weights: by stage ("hint", "output" or "auxiliary"), by task ("bfs"), by probe ("bfs/pi_h") or by
        auxiliary loss ("auxiliary/gate", "bfs/auxiliary/gate").
    """

    def factor(name: str) -> float:
        stage = spec[name].stage.value if name in spec else AUXILIARY
        keys = dict.fromkeys((stage, task, f"{task}/{name}", name if stage == AUXILIARY else stage))
        return math.prod(weights.get(key, 1.0) for key in keys)

    return {name: factor(name) for name in names}


def check_loss_weights(weights: Mapping[str, float], names: Mapping[str, Iterable[str]]) -> None:
    """Raises ValueError on a weight for what is not there, or that is no number of at least 0.

    Args:
      weights: as in `resolve_loss_weights`.
      names: names of the losses of each task, as `losses_by_probe` has them.
    """
    stages = (Stage.HINT.value, Stage.OUTPUT.value, AUXILIARY)
    of_probes = [f"{task}/{name}" for task, losses in names.items() for name in losses]
    auxiliary = [name for losses in names.values() for name in losses if name.startswith(f"{AUXILIARY}/")]
    known = dict.fromkeys((*stages, *names, *of_probes, *auxiliary))
    for key, value in weights.items():
        if key not in known:
            raise ValueError(f"unknown loss weight {key!r}; known: {', '.join(known)}")
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
            raise ValueError(f"loss weight {key} must be a number of at least 0, got {value!r}")
