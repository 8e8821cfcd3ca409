"""A trained processor as a pure function of features and hidden states, for use inside other models."""

import dataclasses
from typing import Any

import haiku as hk
import jax

from nar.model.config import NetConfig
from nar.model.init import Params
from nar.model.params_by_task import PROCESSOR, flatten_tasks
from nar.processors import Context, Features, ProcessorOutput
from nar.processors.base import accepted_features
from nar.processors.layers.float32_parameters import float32_parameters

_EVALUATION = Context()


@dataclasses.dataclass(frozen=True, eq=False)
class ProcessorFunction:
    """The processor of a network with its parameters: `processor(features, hidden).nodes`.

    It is pure and differentiable by features and hidden states. Its parameters are constants, so inside
    another model, of Haiku or any other library of jax, it is frozen; `apply` takes parameters, to train them
    further or to compare with random ones.

    Attributes:
      params: the parameters, by module and name.
      config: configuration of the network that it was trained in.
    """

    params: Params
    config: NetConfig

    @property
    def hidden_size(self) -> int:
        """The size H of hidden states and of node, edge and graph features."""
        return self.config.hidden_size

    def __call__(
        self,
        features: Features,
        hidden: jax.Array,
        memory: Any = None,
        context: Context = _EVALUATION,
        key: jax.Array | None = None,
    ) -> ProcessorOutput:
        """One step with the trained parameters.

        Args:
          features: `nodes` [B, N, H], `edges` [B, N, N, H], `graph` [B, H], `adjacency` [B, N, N] with
            self-loops.
          hidden: hidden states of the previous step, [B, N, H]; zeros at the first step.
          memory: memory that the previous step returned; None at the first step.
          context: state of the rollout; by default that of evaluation.
          key: random key, which only dropout in training needs.

        Returns:
          `nodes`, the new hidden states [B, N, H], and `memory` for the next step.

        Raises:
          ValueError: if an array does not have the sizes that the processor was trained with.
        """
        return self.apply(self.params, features, hidden, memory, context, key)

    def apply(
        self,
        params: Params,
        features: Features,
        hidden: jax.Array,
        memory: Any = None,
        context: Context = _EVALUATION,
        key: jax.Array | None = None,
    ) -> ProcessorOutput:
        """One step with other parameters of the same structure as `params`."""
        transformed = self._transformed(features, hidden, memory, context)
        return transformed.apply(flatten_tasks({PROCESSOR: params}), key)

    def random_params(self, key: jax.Array, features: Features, hidden: jax.Array) -> Params:
        """Newly initialized parameters, such as for a random processor to compare with."""
        flat = self._transformed(features, hidden, None, _EVALUATION).init(key)
        return {path.removeprefix(f"{PROCESSOR}/"): leaves for path, leaves in flat.items()}

    def _transformed(
        self, features: Features, hidden: jax.Array, memory: Any, context: Context
    ) -> hk.Transformed:
        """One step as a pair of functions of the parameters, which are float32 as in a model."""
        self._check(features, hidden)

        def step() -> ProcessorOutput:
            with hk.name_scope(PROCESSOR):
                processor = self.config.make_processor()
            first = processor.initial_memory(*hidden.shape[:2]) if memory is None else memory
            return processor(accepted_features(processor, features), hidden, first, context)

        return hk.transform(float32_parameters()(step))

    def _check(self, features: Features, hidden: jax.Array) -> None:
        if hidden.ndim != 3:
            raise ValueError(f"hidden must be of shape [B, N, {self.hidden_size}], got {hidden.shape}")
        batch_size, num_nodes, size = *hidden.shape[:2], self.hidden_size
        expected = {
            "nodes": (batch_size, num_nodes, size),
            "edges": (batch_size, num_nodes, num_nodes, size),
            "graph": (batch_size, size),
            "adjacency": (batch_size, num_nodes, num_nodes),
        }
        shapes = {name: tuple(getattr(features, name).shape) for name in expected}
        for name, shape in {"hidden": (batch_size, num_nodes, size), **expected}.items():
            given = tuple(hidden.shape) if name == "hidden" else shapes[name]
            if given != shape:
                raise ValueError(f"{name} must be of shape {shape} for this processor, got {given}")
