"""A custom callback in one file, outside nar: norms of the weights, and how much they change.

To use it, give its name, `module:ATTRIBUTE`; the module may be anywhere on the Python path or in the
current directory:

    python -m experiments.train --config=configs/bfs.py --workdir=runs/norms \
        --config.training.callbacks=experiments.examples.weight_norms:WeightNorms \
        --config.training.callback_options="{'WeightNorms': {'depth': 2}}"
"""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import jax
import optax

from nar.training import Callback, StepReport
from nar.training.optim import parameter_names


class WeightNorms(Callback):
    """Adds the norm of each module's weights, and its change since the last validation, to each validation.

    The last norms are its state: a resumed run writes the same metrics as an uninterrupted one.
    """

    def __init__(self, depth: int = 1) -> None:
        """Makes the callback.

        Args:
          depth: number of levels of module names: `processor` or `bfs` for 1, `bfs/encode` for 2.

        Raises:
          ValueError: if the depth is less than 1.
        """
        if depth < 1:
            raise ValueError(f"depth must be at least 1, got {depth}")
        self._depth = depth
        self._norms: Mapping[str, float] = {}

    def on_step(self, report: StepReport) -> StepReport | None:
        """Returns the report with `weight_norm/MODULE` and `weight_norm_change/MODULE`, at validations."""
        if report.evaluation is None:
            return None
        modules: defaultdict[str, list[jax.Array]] = defaultdict(list)
        params = report.state.params
        for name, array in zip(parameter_names(params), jax.tree.leaves(params), strict=True):
            modules["/".join(name.split("/")[: self._depth])].append(array)
        norms = {module: float(optax.tree.norm(arrays)) for module, arrays in modules.items()}
        changes = {module: norms[module] - norm for module, norm in self._norms.items()}
        self._norms = norms
        return report.add_metrics(
            {f"weight_norm/{module}": norm for module, norm in norms.items()}
            | {f"weight_norm_change/{module}": change for module, change in changes.items()}
        )

    def state_dict(self) -> Mapping[str, Any]:
        """The last norms; empty before the first validation."""
        return {"norms": self._norms} if self._norms else {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restores the last norms."""
        self._norms = state["norms"]
