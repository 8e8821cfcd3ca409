"""From a config of a language model to the parts of the library, checked before any work starts."""

import dataclasses
from typing import Any

import optax

from configs import text_small
from experiments.cli.build import Config, check_keys, check_positive
from nar.algorithms import find_algorithm
from nar.evaluation import Scores
from nar.model import Params
from nar.problems.options import OPTION_CHECKS
from nar.runs.build_optimizer import build_optimizer, check_patterns
from nar.text.positions import Positions
from nar.text.rendering.text_files import TextRequest
from nar.text.scoring import AnswerGenerator, TextEvaluator, score_texts
from nar.text.stream import TextStream, TextTask, bucket_width
from nar.text.tokens import NUM_TOKENS
from nar.text.train_step import make_text_step
from nar.text.transformer import TextModel, TransformerConfig, make_text_model
from nar.training import CompiledTrainStep, Devices

SEEDS = {"val": 2, "test": 3}
"""Of the questions of each split; training texts have seeds that are drawn for each batch."""

_POSITIVE = (
    *(f"training.{key}" for key in ("steps", "batch_size", "log_every", "eval_every")),
    *(f"evaluation.{key}" for key in ("batch_size", "most_characters", "samples", "test_samples")),
)


@dataclasses.dataclass(frozen=True)
class TextParts:
    """What a config of a language model stands for; it answers `experiments.train` as `Parts` does.

    Attributes:
      tasks: what is trained.
      model: the network.
      optimizer: of training.
      ema_decay: of the moving average of the parameters; 0 for none.
      stream: the training data.
      devices: where to train.
      generator: Greedy decoding of answers.
      splits: by name, which questions are asked.
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
        """One: language models are trained seed by seed."""
        return 1

    @property
    def weigh(self) -> None:
        """Nothing: tasks have their turns whatever they score."""
        return

    def each(self, tree: Any) -> list[Any]:
        """Parameters alone."""
        return [tree]

    def make_train_step(self) -> CompiledTrainStep:
        """The compiled step of training."""
        return make_text_step(self.model, self.optimizer, self.ema_decay)

    def make_evaluator(self) -> TextEvaluator:
        """What the functions of scoring need."""
        return TextEvaluator(self.generator, self.splits)

    def score_split(self, evaluator: TextEvaluator, params: Params, split: str) -> Scores:
        """Scores on a whole split: "val" has the lengths of training, "test" others too, one by one."""
        return score_texts(evaluator, params, split, by_length=split != "val")


def assemble_text(config: Config, devices: Devices | None = None) -> TextParts:
    """The parts of a run.

    Args:
      config: of the run.
      devices: where it is to run; by default on all there are.

    Raises:
      ValueError: if anything in the config is not valid.
    """
    check_keys(config, text_small.get_config().to_dict())
    training = config["training"]
    for path in _POSITIVE:
        part, key = path.split(".")
        check_positive(path, config[part][key])
    tasks = make_text_tasks(config["algorithms"], config["data"])
    devices = devices or Devices.all()
    devices.check_batch_size(training["batch_size"])
    model, positions = make_network(config["model"])
    stream = TextStream(
        tasks,
        training["batch_size"],
        training["seed"],
        positions,
        devices.process,
        devices.num_processes,
    )
    parts = TextParts(
        tasks=tasks,
        model=model,
        optimizer=build_optimizer(training),
        ema_decay=training["ema_decay"],
        stream=stream,
        devices=devices,
        generator=AnswerGenerator(
            model, positions, config["evaluation"]["batch_size"], config["evaluation"]["most_characters"]
        ),
        splits=make_splits(tasks, config),
    )
    check_patterns(training, model, stream)
    check_range(parts)
    return parts


def make_network(model: Config) -> tuple[TextModel, Positions]:
    """The network of a config, and the positions that its tokens have."""
    sizes = ("hidden_size", "num_layers", "num_heads", "widening", "longest_wave")
    try:
        network = TransformerConfig(NUM_TOKENS, **{key: model[key] for key in sizes})
        ranges = model["position_range"], model["position_room"] if model["position_range"] else 0
        return make_text_model(network), Positions(*ranges)
    except ValueError as error:
        raise ValueError(f"model: {error}") from None


def make_text_tasks(names: Any, data: Config) -> tuple[TextTask, ...]:
    """A task for each algorithm."""
    names = (names,) if isinstance(names, str) else tuple(names)
    algorithms = [find_algorithm(name) for name in names]
    if not names or len(set(algorithms)) != len(names):
        raise ValueError(f"algorithms must name each algorithm once, and at least one; got {names}")
    decimals = OPTION_CHECKS["decimals"]("data.decimals", data["decimals"])
    lengths = tuple(data["lengths"])
    return tuple(TextTask(algorithm, lengths, data["use_hints"], decimals) for algorithm in algorithms)


def make_splits(tasks: tuple[TextTask, ...], config: Config) -> dict[str, TextRequest]:
    """The questions of validation, of the lengths of training, and those of the test at the end."""
    evaluation = config["evaluation"]
    asked = {
        "val": (tuple(config["data"]["lengths"]), evaluation["samples"]),
        "test": (tuple(evaluation["test_lengths"]), evaluation["test_samples"]),
    }
    splits = {}
    for split, (lengths, samples) in asked.items():
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


def check_range(parts: TextParts) -> None:
    """Raises ValueError unless all texts fit the range of positions, if there is one."""
    limit = parts.stream.positions.range
    if not limit:
        return
    for task in parts.tasks:
        for length in sorted({*task.lengths, *parts.splits["test"].lengths[task.name]}):
            text = task.texts(length, 1, seed=0)[0]
            needed = max(len(text.text) + 1, bucket_width(len(text.question)) + parts.generator.max_length)
            if needed > limit:
                raise ValueError(
                    f"model.position_range {limit} is too small for {task.name}, {length}: {needed}"
                )
