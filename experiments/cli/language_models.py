"""Opens language models by name: a run of `nar`, a user's function, or a Hugging Face checkpoint."""

import dataclasses
import functools
import pathlib
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from nar.evaluation.precision import describe_precision, scoring_only
from nar.plugins import load_attribute
from nar.runs.results import compute_dtype
from nar.runs.run import Run, load_run
from nar.text import TEXT_SETS
from nar.text.rendering.text_files import TextRequest
from nar.text.scoring import AnswerFunction, HuggingFaceModel, is_checkpoint
from nar.training import Devices
from nar.training.state import digest

LoadRun = Callable[[str], Run]

FORMS = "the workdir of a run, module:FUNCTION, or a checkpoint directory of Hugging Face transformers"


@dataclasses.dataclass(frozen=True)
class LanguageModel:
    """A language model to be evaluated.

    Attributes:
      label: name in tables and plots, and of the output directory.
      identity: identifies the model, in JSON values.
      load: loads the model and returns its answer function, a function from questions to answers.
      batch_size: questions per call.
      default_request: the questions to ask by default, if the model defines them.
      trained_lengths: algorithm -> lengths that it was trained on; by default the published ones.
      check: raises ValueError if the model cannot answer given questions.
      precision: precision of its matrix products, which is unknown for models of others.
    """

    label: str
    identity: Mapping[str, Any]
    load: Callable[[], AnswerFunction]
    batch_size: int
    default_request: TextRequest | None = None
    trained_lengths: Mapping[str, Sequence[int]] = dataclasses.field(
        default_factory=lambda: TEXT_SETS["train"].lengths
    )
    check: Callable[[Sequence[str]], Any] = lambda questions: None
    precision: Mapping[str, str] = dataclasses.field(default_factory=lambda: {"scoring": "unknown"})


def open_model(
    name: str,
    *,
    batch_size: int | None = None,
    max_length: int | None = None,
    checkpoint: str = "best",
    checkpoint_fallback: bool = False,
    trust: bool = False,
) -> LanguageModel:
    """Opens a model by name.

    Args:
      name: one of `FORMS`.
      batch_size: questions per call; by default that of the run's config, 1 for a function, 8 for a
        Hugging Face checkpoint.
      max_length: maximum answer length, in characters for a run and in tokens for a Hugging Face
        checkpoint; by default that of the run's config, or 512.
      checkpoint: "best" or "last" checkpoint of a run.
      checkpoint_fallback: whether another checkpoint may take its place if it is lost.
      trust: whether code outside nar that the config of a run names may be imported.

    Raises:
      ValueError: if there is no such model.
    """
    for matches, opener in OPENERS.items():
        if matches(name):
            load = functools.partial(
                load_run, checkpoint=checkpoint, checkpoint_fallback=checkpoint_fallback, trust=trust
            )
            return opener(name, batch_size, max_length, load)
    raise ValueError(f"model {name!r} must be {FORMS}")


def _is_workdir(name: str) -> bool:
    return (pathlib.Path(name) / "checkpoints").is_dir()


def _open_run(name: str, batch_size: int | None, max_length: int | None, load: LoadRun) -> LanguageModel:
    run = load(name)
    components = run.text_components
    generator = dataclasses.replace(
        components.generator,
        batch_size=batch_size or components.generator.batch_size,
        max_length=max_length or components.generator.max_length,
    )
    params = run.params
    return LanguageModel(
        label=pathlib.Path(name).resolve().name,
        identity={
            "checkpoint": run.checkpoint,
            "step": run.step,
            "loaded_parameters_sha256": digest(params),
            "max_length": generator.max_length,
        },
        load=lambda: functools.partial(generator, params),
        batch_size=generator.batch_size,
        default_request=components.splits["test"],
        trained_lengths={task.name: task.lengths for task in components.tasks},
        check=generator.check,
        precision=scoring_only(describe_precision(compute_dtype(run.config), Devices.one().platform)),
    )


def _is_function(name: str) -> bool:
    return ":" in name and not pathlib.Path(name).exists()


def _open_function(name: str, batch_size: int | None, max_length: int | None, load: LoadRun) -> LanguageModel:
    del max_length, load
    function = load_attribute(name, "model", callable)

    def unbatched(questions: Sequence[str]) -> list[Any]:
        return [function(question) for question in questions]

    return LanguageModel(
        label=name.replace(":", "."),
        identity={"function": name},
        load=lambda: function if batch_size else unbatched,
        batch_size=batch_size or 1,
    )


def _open_folder(name: str, batch_size: int | None, max_length: int | None, load: LoadRun) -> LanguageModel:
    del load
    folder = pathlib.Path(name).resolve()
    return LanguageModel(
        label=folder.name,
        identity={"folder": str(folder), "max_length": max_length or 512},
        load=lambda: HuggingFaceModel(folder, max_length or 512),
        batch_size=batch_size or 8,
    )


OPENERS: Mapping[Callable[[str], bool], Callable[..., LanguageModel]] = MappingProxyType(
    {
        _is_workdir: _open_run,
        lambda name: is_checkpoint(pathlib.Path(name)): _open_folder,
        _is_function: _open_function,
    }
)
"""Predicate on a name -> function that opens it; the first match is used."""
