"""Training step of a graph network, compiled once per task and batch shape."""

from collections.abc import Iterable, Mapping
from typing import Any

import optax

from nar.data import count_microbatches
from nar.data.views import BATCH, all_views
from nar.losses import RECONSTRUCTION, Objective, resolve_loss_weights, supervised
from nar.model import Model
from nar.specs import Stage
from nar.training.devices.mesh import Devices
from nar.training.optim.optimizers import check_several_tasks
from nar.training.train_step.multi_seed import MapOverSeeds
from nar.training.train_step.objective_gradients import make_gradient_function
from nar.training.train_step.update import CompiledTrainStep, Update


def make_train_step(
    model: Model,
    optimizer: optax.GradientTransformation,
    objective: Objective = supervised,
    *,
    loss_weights: Mapping[str, float] | None = None,
    ema_decay: float = 0.0,
    num_microbatches: int = 1,
    devices: Devices | None = None,
    map_over_seeds: MapOverSeeds | None = None,
) -> CompiledTrainStep:
    """Makes the compiled training step.

    Its metrics are scalars: `loss`, the weighted total; `loss/<task>/<probe>`, or another loss of the
    objective, not weighted; `gradient_norm`; `steps/<task>`, if termination is learned; and those of
    `reject_non_finite`: if anything is not finite, only the step number of the state changes.

    Args:
      model: the network.
      optimizer: the optimizer of the state.
      objective: what is optimized; its views must be in the batches.
      loss_weights: see `nar.losses.resolve_loss_weights`; the weight of unsupervised hints is always 0, that
        of reconstructions is multiplied by the `reconstruction_weight` of the network.
      ema_decay: decay of the parameters' moving average, if the state has one.
      num_microbatches: gradient-accumulation steps, or `nar.data.AUTO_MICROBATCHES`.
      devices: devices of the state, if there are several.
      map_over_seeds: lifts the computation of gradients to several seeds, if states and batches have a
        leading axis of seeds; metrics are then [num_seeds].

    Raises:
      ValueError: if there are several tasks and the optimizer cannot update their parameters separately.
    """
    if len(model.specs) > 1:
        check_several_tasks(optimizer)
    unsupervised = {} if model.config.hints.supervised else {Stage.HINT.value: 0.0}
    weights = {**(loss_weights or {}), **unsupervised}
    weights[RECONSTRUCTION] = weights.get(RECONSTRUCTION, 1.0) * model.config.reconstruction_weight

    def weights_of(task: str, names: Iterable[str]) -> Mapping[str, float]:
        return resolve_loss_weights(model.specs[task], task, names, weights)

    def count(batch: Any) -> int:
        return count_microbatches(all_views(batch)[BATCH], num_microbatches)

    gradients = make_gradient_function(model, objective, weights_of, count, devices)
    return CompiledTrainStep(gradients, Update(optimizer, ema_decay), map_over_seeds)
