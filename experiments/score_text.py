"""Scores a language model's answers to CLRS-Text questions, by algorithm and length.

    python -m experiments.score_text --answers=answers.jsonl
    python -m experiments.score_text --answers=answers.jsonl --references=texts/val/00000-minimum-4.jsonl

A line of answers is a line of a set of texts (`experiments.make_text`) with an additional `completion`; or,
with --references, a `completion` and the `index` of its line in that file. `nar.text.scoring.answer_files`
documents the format, and `nar.text.scoring.answer_scores` how answers are parsed. The script prints a table,
and writes scores.json and, if matplotlib is installed, accuracy.png to --output.
"""

import json
import pathlib

from absl import flags

from experiments.cli.launch import launch
from experiments.cli.paths import define_path
from nar.atomic_io import write_text
from nar.reports import answers_table, draw_accuracy
from nar.reports.plotting import is_matplotlib_installed
from nar.text import TEXT_SETS
from nar.text.scoring.answer_files import score_file

_ANSWERS = define_path("answers", None, "File of answers, as JSON lines.", required=True)
_REFERENCES = define_path("references", None, "File of a set of texts, if answers have an index.")
_OUTPUT = define_path("output", None, "Output directory; by default next to the answers.")
_TRAINED = flags.DEFINE_list(
    "trained_lengths", None, "Lengths to mark as trained in the plot; by default those of the published set."
)


def main() -> None:
    """Scores the file, prints a table, and writes JSON and a plot."""
    answers = pathlib.Path(_ANSWERS.value)
    trained = _trained_lengths()
    references = pathlib.Path(_REFERENCES.value) if _REFERENCES.value else None
    scores = score_file(answers, references).as_json()
    folder = pathlib.Path(_OUTPUT.value or answers.with_suffix(".scores"))
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / "scores.json", json.dumps(scores, indent=1) + "\n")
    lengths = dict.fromkeys(scores["algorithms"], trained) if trained else TEXT_SETS["train"].lengths
    print(answers_table(scores))
    for line in scores["unreadable"]["first"]:
        print(f"line {line['line']} is unreadable: {line['problem']}")
    drawn = draw_accuracy(scores, lengths, folder / "accuracy.png")
    print(f"Written: {folder / 'scores.json'}" + (f", {folder / 'accuracy.png'}" if drawn else ""))
    if not is_matplotlib_installed():
        print("No plot: matplotlib is not installed (pip install 'nar-jax[plots]').")


def _trained_lengths() -> list[int]:
    words = _TRAINED.value or []
    try:
        return [int(word) for word in words]
    except ValueError:
        raise ValueError(f"--trained_lengths must be integers, got {','.join(words)}") from None


if __name__ == "__main__":
    launch(main, compiles=False)
