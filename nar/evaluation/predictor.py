"""Predictions for a problem of one's own: inputs in, decided outputs and hints out. No labels are needed.

predict = Predictor(model, params)
prediction = predict("bfs", A=[(0, 1), (1, 2)], s=0)
prediction.outputs["pi"], prediction.hints["reach_h"], prediction.steps
"""

import dataclasses
from typing import Any

import jax
import numpy as np

from nar.algorithms import Algorithm, find_algorithm
from nar.data import Transforms, bucket_length
from nar.evaluation.compiler_options import options_for
from nar.evaluation.scores import decode_hint, decode_outputs
from nar.model import FromTrace, Model, Params, Predictions, make_model
from nar.problems import Arguments
from nar.specs import Spec
from nar.traces import Probes, TraceBatch, collect, record_first_step


@dataclasses.dataclass(frozen=True)
class Prediction:
    """What a network makes of one problem, in the form of a trace.

    Attributes:
      outputs: by name, shaped and typed as `nar.run_algorithm(...).outputs`.
      hints: by name, [steps + 1, ...]: first what the problem begins with, then what is predicted, decided
        upon. Hints that never change are given, not predicted, and left out; so are all if the network does
        not decode hints.
      steps: how many steps the network took.
    """

    outputs: Probes
    hints: Probes
    steps: int


class Predictor:
    """A network that is asked about one problem at a time; it compiles once for each algorithm and size."""

    def __init__(self, model: Model, params: Params, transforms: Transforms | None = None) -> None:
        """Compiles nothing yet.

        Args:
          model: the network.
          params: of it.
          transforms: those that it was trained with; by default all.
        """
        self._model = model
        self._params = params
        self._transforms = transforms or Transforms()
        # The same network, for when the caller says how many steps to take.
        config = dataclasses.replace(model.config, termination=FromTrace())
        self._apply, self._apply_given = (
            jax.jit(
                which.apply,
                static_argnames=("task", "is_training", "num_steps"),
                compiler_options=options_for(jax.default_backend()),
            )
            for which in (model, make_model(config, model.specs))
        )

    @property
    def names(self) -> list[str]:
        """Names of the algorithms that the network was made for."""
        return list(self._model.specs)

    def __call__(
        self,
        name: str | Algorithm,
        *arguments: Any,
        num_steps: int | None = None,
        **named_arguments: Any,
    ) -> Prediction:
        """Predicts what an algorithm would return, and its hints on the way.

        The network is shown the inputs and the first hints, which are a function of them. How many steps it
        takes is up to `num_steps` or else to `model.config.termination`: only if that is the trace does the
        algorithm run, and of the run nothing is used but its length.

        Args:
          name: of an algorithm that the network was made for.
          *arguments: of the problem, and
          **named_arguments: by name, in any form that `nar.run_algorithm` takes.
          num_steps: how many steps to take.

        Raises:
          ValueError: if the network was not made for the algorithm, or an argument is not valid.
        """
        algorithm = find_algorithm(name)
        if algorithm.name not in self._model.specs:
            raise ValueError(
                f"this network was not made for {algorithm.name!r}; known: {', '.join(self.names)}"
            )
        if num_steps is not None and (type(num_steps) is not int or num_steps < 1):
            raise ValueError(f"num_steps must be an integer of at least 1, got {num_steps!r}")
        try:
            instance = algorithm.problem.bind(*arguments, **named_arguments)
        except ValueError as error:
            raise ValueError(f"{algorithm.name}: {error}") from None
        batch = self._transforms.apply(algorithm, record_first_step(algorithm, [instance]))
        predictions = self._predictions(algorithm, instance, batch, num_steps)
        return _decided(algorithm, self._model.specs[algorithm.name], batch, predictions)

    def _predictions(
        self, algorithm: Algorithm, instance: Arguments, batch: TraceBatch, num_steps: int | None
    ) -> Predictions:
        apply, max_steps = self._apply, None
        if num_steps is not None:
            apply = self._apply_given
        elif isinstance(self._model.config.termination, FromTrace):
            num_steps = max(1, int(collect(algorithm, [instance]).lengths[0]) - 1)
        if num_steps is not None:
            batch = dataclasses.replace(batch, lengths=np.array([num_steps + 1], np.int32))
            max_steps = bucket_length(num_steps)
        arguments = {"task": algorithm.name, "batch": batch, "is_training": False, "num_steps": max_steps}
        return apply(self._params, jax.random.key(0), **arguments)


def _decided(algorithm: Algorithm, spec: Spec, batch: TraceBatch, predictions: Predictions) -> Prediction:
    steps = int(predictions.steps[0])
    outputs = decode_outputs(spec, predictions.outputs)
    hints = {}
    for probe in spec.hints:
        if probe.name in predictions.hints:
            predicted = decode_hint(probe, predictions.hints[probe.name][:steps])
            hints[probe.name] = np.concatenate([batch.hints[probe.name][:1], predicted])[:, 0]
    return Prediction(
        outputs={p.name: outputs[p.name][0].astype(p.dtype) for p in algorithm.spec.outputs},
        hints=hints,
        steps=steps,
    )
