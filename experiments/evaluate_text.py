"""Evaluates language models on CLRS-Text questions, by algorithm and length.

    python -m experiments.evaluate_text --model=runs/text --output=answers
    python -m experiments.evaluate_text --model=runs/text,runs/text_random --lengths=4,8,16 --output=answers
    python -m experiments.evaluate_text --model=my_module:answer --algorithms=bfs --lengths=4,5 --output=mine
    python -m experiments.evaluate_text --model=gpt2 --algorithms=bfs --lengths=4,5 --output=theirs

A model is the workdir of a run of `experiments.train` with a config such as configs/text_small.py; or a
function from a question to its completion or, with --batch_size, from a list of questions to a list of
completions; or a local folder with a Hugging Face model and tokenizer (extra `hugging_face`). By default a
run answers the questions of its test split, and other models 125 per algorithm and length.

A folder in --output for each model holds its answers (which `experiments.score_text` reads), scores.json
and, if matplotlib is installed, accuracy.png; for several models, --output has an accuracy.png of all. The
same command resumes an interrupted evaluation.
"""

import os
import pathlib
from collections.abc import Mapping
from typing import Any

from absl import flags

from experiments.cli import checkpoint_flags, trust
from experiments.cli.checkpoint_flags import CHECKPOINT, CHECKPOINT_FALLBACK
from experiments.cli.language_models import FORMS, LanguageModel, open_model
from experiments.cli.launch import launch
from experiments.cli.paths import define_path
from experiments.cli.trust import TRUST
from nar.algorithms import find_algorithm
from nar.atomic_io import write_json
from nar.problems.options import OPTION_CHECKS
from nar.progress import ProgressBar
from nar.reports import answers_table, draw_accuracies, draw_accuracy
from nar.runs.lock import Lock
from nar.text.rendering.text_files import TextRequest
from nar.text.scoring import ANSWERS, answer_questions
from nar.text.scoring.answer_files import score_file

_MODELS = flags.DEFINE_list("model", None, f"One or several models: each {FORMS}.", required=True)
_OUTPUT = define_path("output", None, "Output directory, created if missing.", required=True)
_ALGORITHMS = flags.DEFINE_list(
    "algorithms", None, "Names, or module:ATTRIBUTE; for a run, by default its own."
)
_LENGTHS = flags.DEFINE_list(
    "lengths", None, "Lengths of every algorithm; for a run, by default those of its test split."
)
_SAMPLES = flags.DEFINE_integer("samples", None, "Questions per algorithm and length.", lower_bound=1)
_SEED = flags.DEFINE_integer("seed", 3, "Seed of the questions; runs never train on questions of seed 3.")
_HINTS = flags.DEFINE_bool(
    "hints", None, "Whether questions request the hints; for a run, by default as in training."
)
_DECIMALS = flags.DEFINE_integer(
    "decimals",
    None,
    "Decimals to which inputs are truncated, 0 for all digits; for a run, by default as in training, else 0.",
)
_BATCH_SIZE = flags.DEFINE_integer(
    "batch_size", None, "Questions per batch; if set for a function, it receives lists.", lower_bound=1
)
_MAX_LENGTH = flags.DEFINE_integer(
    "max_length", None, "Longest answer, in characters (runs) or tokens (folders).", lower_bound=1
)
flags.adopt_module_key_flags(checkpoint_flags)
flags.adopt_module_key_flags(trust)


def main() -> None:
    """Checks all models and requests, evaluates the models, and writes and prints scores."""
    models = [
        open_model(
            name,
            batch_size=_BATCH_SIZE.value,
            max_length=_MAX_LENGTH.value,
            checkpoint=CHECKPOINT.value,
            checkpoint_fallback=CHECKPOINT_FALLBACK.value,
            trust=TRUST.value,
        )
        for name in map(os.path.expanduser, _MODELS.value)
    ]
    labels = [model.label for model in models]
    if len(set(labels)) < len(labels):
        raise ValueError(f"models must have different names, got {', '.join(labels)}")
    requests = [read_request(model.default_request) for model in models]
    folder = pathlib.Path(_OUTPUT.value)
    scores = {
        model.label: evaluate(model, request, folder / model.label)
        for model, request in zip(models, requests, strict=True)
    }
    if len(models) > 1 and draw_accuracies(scores, models[0].trained_lengths, folder / "accuracy.png"):
        print(f"Plot of all models: {folder / 'accuracy.png'}")


def read_request(default_request: TextRequest | None) -> TextRequest:
    """Reads the request from the flags, with defaults of the model.

    Raises:
      ValueError: if a flag is missing or invalid.
    """
    for name, flag in (("algorithms", _ALGORITHMS), ("lengths", _LENGTHS)):
        if flag.value is None and default_request is None:
            raise ValueError(f"--{name} must be given for a model that is not a run")
    algorithms = [
        find_algorithm(name).name
        for name in _ALGORITHMS.value or (default_request.lengths if default_request else ())
    ]
    lengths = {name: _lengths(name, default_request) for name in algorithms}
    request = TextRequest(
        lengths=lengths,
        samples=_SAMPLES.value or (default_request.samples if default_request else 125),
        seeds=(_SEED.value,),
        use_hints=bool(default_request and default_request.use_hints)
        if _HINTS.value is None
        else _HINTS.value,
        decimals=(default_request.decimals if default_request else 0)
        if _DECIMALS.value is None
        else OPTION_CHECKS["decimals"]("--decimals", _DECIMALS.value),
    )
    request.check()
    return request


def _lengths(algorithm: str, default_request: TextRequest | None) -> tuple[int, ...]:
    if _LENGTHS.value is not None:
        try:
            return tuple(int(word) for word in _LENGTHS.value)
        except ValueError:
            raise ValueError(f"--lengths must be integers, got {','.join(_LENGTHS.value)}") from None
    assert default_request is not None
    return default_request.lengths.get(algorithm) or next(iter(default_request.lengths.values()))


def evaluate(model: LanguageModel, request: TextRequest, folder: pathlib.Path) -> Mapping[str, Any]:
    """Evaluates a model, and writes, prints and returns its scores."""
    folder.mkdir(parents=True, exist_ok=True)
    with Lock(folder):
        total = sum(file.count for file in request.files())
        with ProgressBar(total=total, desc=model.label, unit=" questions") as bar:
            for done in answer_questions(folder, request, model):
                bar.update(done - bar.n)
        scores = {**score_file(folder / ANSWERS).as_json(), "precision": dict(model.precision)}
        write_json(folder / "scores.json", scores)
        print(f"\n{model.label}\n\n{answers_table(scores)}\n")
        drawn = draw_accuracy(scores, model.trained_lengths, folder / "accuracy.png")
    print(f"Written: {folder / ANSWERS}, scores.json" + (", accuracy.png" if drawn else ""))
    return scores


if __name__ == "__main__":
    launch(main)
