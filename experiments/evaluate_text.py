"""Asks language models questions of CLRS-Text, and scores their answers by algorithm and length.

    python -m experiments.evaluate_text --model=runs/text --output=answers
    python -m experiments.evaluate_text --model=runs/text,runs/text_random --lengths=4,8,16 --output=answers
    python -m experiments.evaluate_text --model=my_module:answer --algorithms=bfs --lengths=4,5 --output=mine
    python -m experiments.evaluate_text --model=gpt2 --algorithms=bfs --lengths=4,5 --output=theirs

A model is the workdir of a run that `experiments.train` made with a config such as configs/text_small.py; or
a function of yours from a question to what comes behind it, or with --batch_size from a list of questions to
a list of such; or a local folder with a model and a tokenizer of Hugging Face (extra `hugging_face`). By
default a run is asked the questions of its test split, others 125 of each algorithm and length.

For each model a folder in --output has its answers (lines that `experiments.score_text` reads), scores.json
and, if matplotlib is installed, accuracy.png; of several models --output has an accuracy.png of all. The same
command goes on where it was stopped.
"""

import pathlib
from collections.abc import Mapping
from typing import Any

from absl import flags
from tqdm import tqdm

from experiments.cli.language_models import FORMS, LanguageModel, open_model
from experiments.cli.launch import launch
from nar.algorithms import find_algorithm
from nar.problems.options import OPTION_CHECKS
from nar.reports import answers_table, draw_accuracies, draw_accuracy
from nar.runs.lock import Lock
from nar.text.rendering.text_files import TextRequest
from nar.text.scoring import ANSWERS, answer_questions
from nar.text.scoring.answer_files import score_file
from nar.training import write_json

_MODELS = flags.DEFINE_list("model", None, f"One or several models: each {FORMS}.", required=True)
_OUTPUT = flags.DEFINE_string("output", None, "Folder of what is written, made if missing.", required=True)
_ALGORITHMS = flags.DEFINE_list(
    "algorithms", None, "Names, or module:ATTRIBUTE; of a run by default its own."
)
_LENGTHS = flags.DEFINE_list("lengths", None, "Lengths of every algorithm; of a run by default its test's.")
_SAMPLES = flags.DEFINE_integer("samples", None, "Questions of each algorithm and length.", lower_bound=1)
_SEED = flags.DEFINE_integer("seed", 3, "Of the questions; 3 is one that no training of a run draws from.")
_HINTS = flags.DEFINE_bool(
    "hints", None, "Whether questions ask for the steps; of a run by default as trained."
)
_DECIMALS = flags.DEFINE_integer(
    "decimals", None, "To which inputs are cut, 0 for all digits; of a run by default as trained, else 0."
)
_CHECKPOINT = flags.DEFINE_enum("checkpoint", "best", ["best", "last"], "Which checkpoint of a run is asked.")
_BATCH_SIZE = flags.DEFINE_integer(
    "batch_size", None, "Questions at once; given for a function, it gets lists of them.", lower_bound=1
)
_MOST = flags.DEFINE_integer(
    "most", None, "Characters (of a run) or tokens (of a folder) of an answer.", lower_bound=1
)


def main() -> None:
    """Checks everything, asks every model, and writes and prints the scores."""
    models = [
        open_model(name, batch_size=_BATCH_SIZE.value, max_length=_MOST.value, checkpoint=_CHECKPOINT.value)
        for name in _MODELS.value
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
        print(f"All together: {folder / 'accuracy.png'}")


def read_request(default_request: TextRequest | None) -> TextRequest:
    """What is asked: as the flags say, or as is usual for the model.

    Raises:
      ValueError: if that is not enough or not valid.
    """
    for name, flag in (("algorithms", _ALGORITHMS), ("lengths", _LENGTHS)):
        if flag.value is None and default_request is None:
            raise ValueError(f"--{name} must be given for a model that is no run")
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
    """Asks a model, and writes and prints its scores, which are returned."""
    folder.mkdir(parents=True, exist_ok=True)
    with Lock(folder):
        total = sum(file.count for file in request.files())
        with tqdm(total=total, desc=model.label, unit=" questions") as bar:
            for done in answer_questions(folder, request, model):
                bar.update(done - bar.n)
        scores = score_file(folder / ANSWERS).as_json()
        write_json(folder / "scores.json", scores)
        drawn = draw_accuracy(scores, model.trained_lengths, folder / "accuracy.png")
    print(f"\n{model.label}\n\n{answers_table(scores)}\n")
    print(f"Written: {folder / ANSWERS}, scores.json" + (", accuracy.png" if drawn else ""))
    return scores


if __name__ == "__main__":
    launch(main)
