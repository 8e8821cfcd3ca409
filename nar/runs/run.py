"""A run: its directory, config, parameters, predictions and scores."""

import dataclasses
import functools
import os
import warnings
from collections.abc import Iterable, Sequence
from typing import Any

from nar.atomic_io import local_path
from nar.evaluation import Prediction, Predictor, score_problem_sets
from nar.evaluation.predictor import Problem
from nar.evaluation.problem_sets import check_options_used, make_problem_sets
from nar.model import Params
from nar.model.params_by_task import PROCESSOR
from nar.model.processor_function import ProcessorFunction
from nar.plugins import unknown_name
from nar.problems.options import CLRS30
from nar.rich_display import cells_table
from nar.runs.build import AnyConfig, build_run, graph_components, new_state, resolve_config, text_components
from nar.runs.components import GraphComponents, RunComponents, TextComponents
from nar.runs.config import RunConfig
from nar.runs.files import read_result
from nar.runs.plugin_record import plugin_record, warn_of_plugins
from nar.runs.recorded_steps import best_step_of, last_step_of
from nar.runs.results import SPLITS
from nar.runs.trust import check_trust
from nar.runs.weights_file import read_weights
from nar.runs.workdir import Workdir
from nar.training import Devices, TrainState
from nar.training.checkpointing import LostCheckpointError, RestoredCheckpoint
from nar.training.checkpointing.checkpoints import FALLBACK_HINT

CHECKPOINTS = ("best", "last")
"""Checkpoints that can be loaded."""


@dataclasses.dataclass(frozen=True, eq=False)
class Run:
    """A run that has been trained, wholly or in part, or the export of one, without its training state.

    Parameters are read when they are first needed.

    Attributes:
      workdir: its directory.
      config: its config.
      checkpoint: "best" or "last": the checkpoint with its parameters.
      seed_index: index of the seed with these parameters, if it trains several.
      checkpoint_fallback: whether another checkpoint may take its place if it is damaged or missing.
    """

    workdir: Workdir
    config: AnyConfig
    checkpoint: str = "best"
    seed_index: int = 0
    checkpoint_fallback: bool = False

    @functools.cached_property
    def components(self) -> RunComponents:
        """The objects that the config describes, on one device: the network, the data, ..."""
        return build_run(self.config, Devices.one())

    @property
    def graph_components(self) -> GraphComponents:
        """The components of a graph network; raises ValueError for a language model."""
        return graph_components(self.components, self.workdir)

    @property
    def text_components(self) -> TextComponents:
        """The components of a language model; raises ValueError for a graph network."""
        return text_components(self.components, self.workdir)

    @functools.cached_property
    def state(self) -> TrainState:
        """The train state of the checkpoint, of one seed.

        Raises:
          ValueError: if the run has no intact checkpoint or is an exported one, or `seed_index` is invalid.
        """
        restored, components = self._restored, self.components
        # All seeds share the step counter.
        without_step = dataclasses.replace(restored.state, step=None)
        one_seed = components.unstack_seeds(without_step)[self.seed_index]
        return dataclasses.replace(one_seed, step=restored.state.step)

    @functools.cached_property
    def _restored(self) -> RestoredCheckpoint:
        if self.is_exported:
            raise ValueError(f"{self.workdir} is an exported run, which has parameters but no train state")
        components, fallback = self.components, self.checkpoint_fallback
        if not 0 <= self.seed_index < components.num_seeds:
            raise ValueError(
                f"seed_index must lie between 0 and {components.num_seeds - 1} for {self.workdir}, "
                f"got {self.seed_index}"
            )
        state = new_state(components, self.config.training.seed)
        checkpoints = self.workdir.open_checkpoints(read_only=True)
        if self.checkpoint == "best":
            step = best_step_of(self.workdir, checkpoints.all_steps(), self.seed_index)
            return checkpoints.best(state, self.seed_index, step=step, fallback=fallback)
        restored = checkpoints.restore(state)
        if restored is None:
            raise ValueError(f"{self.workdir} has no checkpoint yet")
        last, step = last_step_of(self.workdir, checkpoints.all_steps()), int(restored.state.step)
        if step != last and not fallback:
            raise LostCheckpointError(
                f"the last checkpoint of {self.workdir}, step {last}, is damaged or missing; "
                f"the last intact one is step {step}. {FALLBACK_HINT}"
            )
        return restored

    @property
    def lost_checkpoints(self) -> list[str]:
        """The best checkpoints that were lost, whose place others have taken; see `checkpoint_fallback`."""
        return [] if self.is_exported else [str(one) for one in self._restored.best.lost]

    @property
    def is_exported(self) -> bool:
        """True for an exported run, which has weights instead of checkpoints."""
        return self.workdir.weights.exists()

    @functools.cached_property
    def _params_and_step(self) -> tuple[Params, int]:
        if not self.is_exported:
            return self.state.eval_params, int(self.state.step)
        if self.checkpoint != "best" or self.seed_index:
            raise ValueError(f"{self.workdir} is an exported run: it has one seed and its best checkpoint")
        expected = read_result(self.workdir.result).get("exported_parameters_sha256", "")
        return read_weights(self.workdir.weights, expected)

    @property
    def params(self) -> Params:
        """The parameters: the moving average of them, if `training.ema_decay` is set."""
        return self._params_and_step[0]

    @property
    def step(self) -> int:
        """The training step of the checkpoint."""
        return self._params_and_step[1]

    @property
    def result(self) -> dict[str, Any] | None:
        """The content of `result.json`: scores of the finished run; None before it is finished."""
        return read_result(self.workdir.result) if self.workdir.result.exists() else None

    def _repr_html_(self) -> str:
        result = self.result
        title = f"{self.workdir}: {', '.join(self.config.algorithms)}"
        if result is None:
            return cells_table(f"{title}, not finished", (), ())
        rows = [
            (task, split, size, f"{values['score']:.2%}")
            for split, tasks in result["scores"].items()
            for task, sizes in tasks.items()
            for size, values in sizes.items()
        ]
        return cells_table(title, ("algorithm", "split", "n", "score"), rows)

    @functools.cached_property
    def predictor(self) -> Predictor:
        """The network as a function of a problem; raises ValueError for a language model."""
        components = self.graph_components
        return Predictor(components.model, self.params, components.transforms, components.input_ranges)

    @functools.cached_property
    def processor(self) -> ProcessorFunction:
        """The processor alone, a differentiable function of features and hidden states.

        Raises ValueError for a language model.
        """
        return ProcessorFunction(self.params[PROCESSOR], self.graph_components.model.config)

    def predict(
        self,
        name: str,
        /,
        *arguments: Any,
        num_steps: int | None = None,
        scale_inputs: bool = True,
        **named_arguments: Any,
    ) -> Prediction:
        """Predicts one problem, with hidden states: `run.predict("bfs", edges=[(0, 1), (1, 2)], s=0)`.

        Args:
          name: an algorithm of the run.
          *arguments: positional arguments of the problem, in any form that `nar.run_algorithm` accepts.
          **named_arguments: named arguments of the problem.
          num_steps: the number of processor steps; by default that of the config's termination.
          scale_inputs: whether to change numbers outside of the range of training where that does not change
            the answer of the algorithm; see `nar.evaluation.Predictor`.

        Raises:
          ValueError: if the run has no such algorithm or is of a language model, or an argument is invalid.
        """
        return self.predictor(
            name, *arguments, num_steps=num_steps, scale_inputs=scale_inputs, **named_arguments
        )

    def predict_many(
        self,
        name: str,
        problems: Iterable[Problem],
        /,
        *,
        num_steps: int | None = None,
        scale_inputs: bool = True,
    ) -> list[Prediction]:
        """Predicts many problems of one algorithm, of any sizes, in batches.

        `run.predict_many("bfs", [{"edges": [(0, 1), (1, 2)], "s": 0}, {"edges": [(0, 1)], "s": 1}])`; the
        arguments and errors are those of `nar.evaluation.Predictor.many`.
        """
        return self.predictor.many(name, problems, num_steps=num_steps, scale_inputs=scale_inputs)

    def evaluate(
        self,
        sizes: Sequence[int] | None = None,
        *,
        seed: int = 3,
        families: Sequence[str] = (CLRS30,),
        count: int = 0,
        **problem_options: Any,
    ) -> dict[str, Any]:
        """Scores the network: `run.evaluate(sizes=(16, 64), families=("grid",), count=100)`.

        Args:
          sizes: problem sizes. By default the problems of the config's protocol are scored, `validation` and
            `test`, and the other arguments have no effect.
          seed: seed of the problems of `sizes`, which are drawn as CLRS-30 draws its test split: with seed 3,
            size 64 is that split.
          families: graph families of graph problems.
          count: number of instances of each algorithm, size and family; 0 for as many as in CLRS-30.
          **problem_options: problem options such as p, for the algorithms and families that have them.

        Returns:
          task -> size -> output -> score, where a size with a family is named "16, grid"; without `sizes`,
          such scores by split, as in `result["scores"]`.

        Raises:
          ValueError: if problems like these cannot be drawn, or the run is of a language model.
        """
        if sizes is None:
            evaluator = self.components.make_evaluator()
            return {
                name: self.components.score_split(evaluator, self.params, split)
                for name, split in SPLITS.items()
            }
        components = self.graph_components
        problem_sets = {
            task.name: make_problem_sets(
                task.algorithm,
                sizes,
                (seed,),
                families,
                problem_options,
                count,
                on_lists=components.transforms.neighbor_lists,
            )
            for task in components.tasks
        }
        check_options_used(problem_options, [one for sets in problem_sets.values() for one in sets])
        return score_problem_sets(components.make_evaluator(), self.params, problem_sets, components.metrics)


def with_execution(config: AnyConfig, execution: str) -> AnyConfig:
    """The config of a run for another execution, with a warning if its predictions may differ.

    Raises:
      ValueError: if it is not the config of a graph network.
    """
    if not isinstance(config, RunConfig):
        raise ValueError(f"execution {execution} is for graph networks; this run is of a language model")
    if execution == "sparse" and config.model.pairs == "all":
        warnings.warn(
            "this network was trained with model.pairs=all: sparse execution excludes pointers to nodes that "
            "are not neighbors, so that its predictions may differ from those of dense execution",
            stacklevel=2,
        )
    return dataclasses.replace(config, model=dataclasses.replace(config.model, execution=execution))


def load_run(
    path: str | os.PathLike[str],
    checkpoint: str = "best",
    seed_index: int = 0,
    *,
    checkpoint_fallback: bool = False,
    trust: bool = False,
    execution: str | None = None,
) -> Run:
    """Loads a run from its directory, on one device of this process.

    Args:
      path: the workdir.
      checkpoint: "best" or "last".
      seed_index: index of the seed whose parameters (and best checkpoint) are loaded, if the run has several.
      checkpoint_fallback: whether to load the best, or last, of the intact checkpoints if that one is lost,
        with a warning.
      trust: whether code outside nar that the config names may be imported and called.
      execution: "dense" or "sparse", in place of the config's `model.execution`.

    Raises:
      LostCheckpointError: a ValueError: the checkpoint is damaged or missing.
      ValueError: if the directory is not a workdir or has no intact checkpoint, if an argument is invalid, or
        if the config names code outside nar and `trust` is not set; the message lists the names.
    """
    if checkpoint not in CHECKPOINTS:
        raise ValueError(unknown_name("checkpoint", checkpoint, CHECKPOINTS))
    workdir = Workdir(local_path(path))
    config = read_config(workdir, trust=trust)
    if execution is not None:
        config = with_execution(config, execution)
    run = Run(workdir, config, checkpoint, seed_index, checkpoint_fallback)
    _ = run.params  # Errors are raised now.
    warn_of_plugins(workdir, plugin_record(run.config.to_dict()))
    return run


def read_config(path: str | os.PathLike[str], *, trust: bool = False) -> AnyConfig:
    """Reads the config of the run in a directory, for loading the run.

    Args:
      path: the workdir.
      trust: whether code outside nar that the config names may be imported and called.

    Raises:
      ValueError: if the directory is not the workdir of a run, its config is incomplete or invalid, or it
        names code outside nar and `trust` is not set.
    """
    workdir = Workdir(local_path(path))
    values = workdir.read_config()
    try:
        # An exported run may be older than a key: its scores show whether the default is right.
        config = resolve_config(values, complete=not workdir.weights.exists())
    except ValueError as error:
        raise ValueError(f"{workdir.config}: {error}") from None
    check_trust(config.to_dict(), workdir.config, trust)
    return config
