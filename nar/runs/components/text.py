"""Builds the components of a language-model run from its config, and checks the whole config first."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import optax

from nar.algorithms import find_algorithm
from nar.evaluation import Scores
from nar.evaluation.metrics import Metrics
from nar.model import Params
from nar.problems.options import OPTION_CHECKS
from nar.runs.components.optimizer import build_optimizer, check_patterns
from nar.runs.text_config import TextDataConfig, TextModelConfig, TextRunConfig
from nar.text.positions import Positions
from nar.text.rendering.text_files import TextRequest
from nar.text.scoring import AnswerGenerator, TextEvaluator, score_texts
from nar.text.stream import TextStream, TextTask, bucket_width
from nar.text.tokens import NUM_TOKENS
from nar.text.train_step import make_text_step
from nar.text.transformer import TextModel, TransformerConfig, make_text_model
from nar.training import Devices
from nar.training.train_step import CompiledTrainStep

SEEDS = {"val": 2, "test": 3}
"""Seeds of the questions of each split; the seeds of training texts are drawn for each batch."""


@dataclasses.dataclass(frozen=True)
class TextComponents:
    """The components of a language-model run; implements `RunComponents`, like `GraphComponents`.

    Attributes:
      tasks: the training tasks.
      model: the network.
      optimizer: the optimizer.
      ema_decay: decay of the exponential moving average of the parameters; 0 disables it.
      stream: the training data.
      devices: the devices to train on.
      generator: generates answers by greedy decoding.
      splits: questions of each split, by name.
    """

    tasks: tuple[TextTask, ...]
    model: TextModel
    optimizer: optax.GradientTransformation
    ema_decay: float
    stream: TextStream
    devices: Devices
    generator: AnswerGenerator
    splits: dict[str, TextRequest]

    @property
    def num_seeds(self) -> int:
        """Always one: language models are trained one seed at a time."""
        return 1

    @property
    def task_weight_function(self) -> None:
        """Always None: the task sampling weights do not depend on scores."""
        return

    @property
    def metrics(self) -> Metrics:
        """No metrics: exact matches are the score."""
        return {}

    @property
    def selection(self) -> str:
        """The score."""
        return "score"

    @property
    def selection_split(self) -> str:
        """Validation."""
        return "val"

    @property
    def protocol_record(self) -> Mapping[str, Any]:
        """Empty: there is only one protocol."""
        return {}

    def check_metrics(self) -> None:
        """Checks nothing, since there are no metrics."""

    def unstack_seeds(self, tree: Any) -> list[Any]:
        """A list of the tree alone."""
        return [tree]

    def make_train_step(self) -> CompiledTrainStep:
        """Builds the jitted training step."""
        return make_text_step(self.model, self.optimizer, self.ema_decay)

    def make_evaluator(self) -> TextEvaluator:
        """Builds the evaluator that `score_split` takes."""
        return TextEvaluator(self.generator, self.splits)

    def score_split(self, evaluator: TextEvaluator, params: Params, split: str) -> Scores:
        """Scores on a complete split: "val" averages over the training lengths, "test" scores each length."""
        return score_texts(evaluator, params, split, by_length=split != "val")


def build_text_run(
    config: TextRunConfig | Mapping[str, Any], devices: Devices | None = None
) -> TextComponents:
    """Builds the components of a run.

    Args:
      config: the config, or a nested dictionary.
      devices: the devices to run on; all of them by default.

    Raises:
      ValueError: if anything in the config is invalid.
    """
    config = TextRunConfig.resolve(config)
    training = config.training
    tasks = make_text_tasks(config.algorithms, config.data)
    devices = devices or Devices.all()
    devices.check_batch_size(training.batch_size)
    model, positions = make_network(config.model)
    stream = TextStream(
        tasks,
        training.batch_size,
        training.seed,
        positions,
        devices.process,
        devices.num_processes,
    )
    components = TextComponents(
        tasks=tasks,
        model=model,
        optimizer=build_optimizer(training),
        ema_decay=training.ema_decay,
        stream=stream,
        devices=devices,
        generator=AnswerGenerator(
            model, positions, config.evaluation.batch_size, config.evaluation.max_length
        ),
        splits=make_splits(tasks, config),
    )
    check_patterns(training, model, stream)
    check_range(components)
    return components


def make_network(model: TextModelConfig) -> tuple[TextModel, Positions]:
    """Builds the network, and the positions of its tokens."""
    sizes = ("hidden_size", "num_layers", "num_heads", "widening", "rope_theta")
    try:
        network = TransformerConfig(NUM_TOKENS, **{key: getattr(model, key) for key in sizes})
        ranges = model.position_range, model.position_min_length if model.position_range else 0
        return make_text_model(network), Positions(*ranges)
    except ValueError as error:
        raise ValueError(f"model: {error}") from None


def make_text_tasks(names: Sequence[str], data: TextDataConfig) -> tuple[TextTask, ...]:
    """Builds one task per algorithm."""
    algorithms = [find_algorithm(name) for name in names]
    if not names or len(set(algorithms)) != len(names):
        raise ValueError(f"algorithms must be at least one name, without duplicates; got {names}")
    decimals = OPTION_CHECKS["decimals"]("data.decimals", data.decimals)
    lengths = data.lengths
    return tuple(TextTask(algorithm, lengths, data.use_hints, decimals) for algorithm in algorithms)


def make_splits(tasks: tuple[TextTask, ...], config: TextRunConfig) -> dict[str, TextRequest]:
    """The questions of the validation split (training lengths) and of the test split (test lengths)."""
    evaluation = config.evaluation
    requested = {
        "val": (config.data.lengths, evaluation.samples),
        "test": (evaluation.test_lengths, evaluation.test_samples),
    }
    splits = {}
    for split, (lengths, samples) in requested.items():
        splits[split] = TextRequest(
            lengths={task.name: lengths for task in tasks},
            samples=samples,
            seeds=(SEEDS[split],),
            use_hints=tasks[0].use_hints,
            decimals=tasks[0].decimals,
        )
        try:
            splits[split].check()
        except ValueError as error:
            raise ValueError(f"questions of {split}: {error}") from None
    return splits


def check_range(components: TextComponents) -> None:
    """Raises ValueError if randomized positions are used and a text is longer than their range."""
    limit = components.stream.positions.range
    if not limit:
        return
    for task in components.tasks:
        for length in sorted({*task.lengths, *components.splits["test"].lengths[task.name]}):
            text = task.texts(length, 1, seed=0)[0]
            needed = max(
                len(text.text) + 1, bucket_width(len(text.question)) + components.generator.max_length
            )
            if needed > limit:
                raise ValueError(
                    f"model.position_range {limit} is too small for {task.name} of length {length}, "
                    f"which needs {needed}"
                )
