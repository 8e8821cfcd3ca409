"""Scores a language model's answers to questions of CLRS-Text, by algorithm and length.

    python -m experiments.score_text --answers=answers.jsonl
    python -m experiments.score_text --answers=answers.jsonl --references=texts/val/00000-minimum-4.jsonl

A line of answers is one of a set of texts (`experiments.make_text`) with a `completion` beside it; or, with
--references, a `completion` and the `index` of its line there. `nar.text.scoring.answer_files` says what
counts, `nar.text.scoring.answer_scores` how an answer is read. It prints a table, and writes scores.json and,
if matplotlib is installed, accuracy.png to --output.
"""

import json
import pathlib

from absl import flags

from experiments.cli.launch import launch
from nar.reports import answers_table, draw_accuracy
from nar.text import TEXT_SETS
from nar.text.scoring.answer_files import score_file

_ANSWERS = flags.DEFINE_string("answers", None, "File of JSON lines.", required=True)
_REFERENCES = flags.DEFINE_string("references", None, "File of a set, if answers have the index of a line.")
_OUTPUT = flags.DEFINE_string("output", None, "Folder of what is written; by default beside the answers.")
_TRAINED = flags.DEFINE_list(
    "trained_lengths", None, "Lengths of every algorithm that the plot marks; by default the published ones."
)


def main() -> None:
    """Scores the file, prints a table, writes JSON and a plot."""
    answers = pathlib.Path(_ANSWERS.value)
    trained = _trained_lengths()
    references = pathlib.Path(_REFERENCES.value) if _REFERENCES.value else None
    scores = score_file(answers, references).as_json()
    folder = pathlib.Path(_OUTPUT.value or answers.with_suffix(".scores"))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "scores.json").write_text(json.dumps(scores, indent=1) + "\n")
    lengths = dict.fromkeys(scores["algorithms"], trained) if trained else TEXT_SETS["train"].lengths
    drawn = draw_accuracy(scores, lengths, folder / "accuracy.png")
    print(answers_table(scores))
    for line in scores["unreadable"]["first"]:
        print(f"line {line['line']} is unreadable: {line['problem']}")
    print(f"Written: {folder / 'scores.json'}" + (f", {folder / 'accuracy.png'}" if drawn else ""))
    if not drawn:
        print("No plot: matplotlib is not installed (pip install 'nar-jax[plots]').")


def _trained_lengths() -> list[int]:
    words = _TRAINED.value or []
    try:
        return [int(word) for word in words]
    except ValueError:
        raise ValueError(f"--trained_lengths must be integers, got {','.join(words)}") from None


if __name__ == "__main__":
    launch(main, compiles=False)
