"""Writes a report on runs: an HTML page, the table of scores as Markdown and LaTeX, and plots.

    python -m experiments.report runs/bfs
    python -m experiments.report runs/* --output=reports/all

    python -m experiments.report --leaderboard

writes the leaderboard, docs/results.md and docs/leaderboard.html, from the exported runs in nar/runs/weights
and docs/submissions (or in the folders that are named as arguments); see docs/submit.md.

    python -m experiments.report --recipes runs/recipes

adds the finished trials of the study of recipes to docs/recipes.json, and writes docs/recipes.md from it.

Otherwise, arguments are directories of runs and of sweeps; all trials of a sweep are included. Only their
files are read: config, versions, metrics, result and evaluation. Unfinished runs are reported as such.
--output is a directory, or the path of the page if it ends in .html. The files of an earlier report there are
replaced once the whole report has been made; those of others are not. Plots need matplotlib (extra `plots`).
"""

import json
import os
import pathlib
from collections.abc import Iterable, Mapping

from absl import flags

from experiments.cli.launch import launch
from experiments.cli.paths import define_path
from nar.atomic_io import atomic_write, local_path, path_in_errors, read_json
from nar.reports import recipes
from nar.reports.leaderboard import make_leaderboard, read_rows
from nar.reports.leaderboard.leaderboard import MARKDOWN, PAGE
from nar.reports.run_report import make_report, make_settings, read_records, report_notes, score_table

_OUTPUT = define_path("output", "report", "Directory of the report, or its page if it ends in .html.")
_LEADERBOARD = flags.DEFINE_bool("leaderboard", False, "Write the leaderboard instead, to docs or --output.")
_RECIPES = flags.DEFINE_bool("recipes", False, "Write the study of recipes instead, to docs or --output.")
_EVALUATION = flags.DEFINE_string("evaluation", "evaluation", "The --name of the evaluation to report.")

LEADERBOARD_FOLDERS = ("nar/runs/weights", "docs/submissions")
"""Folders of exported runs that are rows of the leaderboard."""


def main(*directories: str) -> None:
    """Reads all runs, makes the report, and only then writes it."""
    if _LEADERBOARD.value:
        write_leaderboard([local_path(path) for path in directories or LEADERBOARD_FOLDERS])
        return
    if _RECIPES.value:
        write_recipes([local_path(path) for path in directories])
        return
    if not directories:
        raise ValueError("name at least one directory of a run or of a sweep; see --help")
    output = pathlib.Path(_OUTPUT.value)
    directory, page = (output.parent, output.name) if output.suffix == ".html" else (output, "report.html")
    records = read_records([local_path(path) for path in directories], _EVALUATION.value)
    files = make_report(records, page)
    check_replaceable(directory, files, page)
    write_files(directory, files)
    settings = make_settings(records.runs)
    table = score_table(settings)
    print(table.as_text())
    print("".join(f"\nNote: {line}" for line in report_notes(records, settings)))
    print(f"Written: {directory / page}\nOther files: {', '.join(name for name in files if name != page)}")


def write_leaderboard(folders: list[pathlib.Path]) -> None:
    """Writes the leaderboard of the exported runs in folders.

    Raises:
      ValueError: if a folder does not exist.
    """
    missing = [path for path in folders if not path.is_dir()]
    if missing:
        raise ValueError(
            f"{missing[0]} is not a folder; call this in the repository, or name folders of exports"
        )
    rows = read_rows(folders)
    directory = pathlib.Path(_OUTPUT.value if flags.FLAGS["output"].present else "docs")
    write_files(directory, make_leaderboard(rows))
    print(f"Rows: {len(rows)}. Written: {directory / MARKDOWN} and {directory / PAGE}")


def write_recipes(folders: list[pathlib.Path]) -> None:
    """Adds the finished trials in folders to the data of the study, and writes its page.

    Raises:
      ValueError: if a folder is neither a run nor a sweep, a trial does not belong to the study, or the data
        are damaged.
    """
    directory = pathlib.Path(_OUTPUT.value if flags.FLAGS["output"].present else "docs")
    data = directory / recipes.DATA
    new = recipes.rows_of(read_records(folders).runs)
    rows = recipes.merge_rows(read_json(data)["rows"] if data.exists() else [], new)
    text = json.dumps({"rows": rows}, indent=1) + "\n"
    page = recipes.make_recipes(rows)
    write_files(directory, {recipes.DATA: text.encode(), recipes.MARKDOWN: page.encode()})
    print(f"{len(new)} trials added, {len(rows)} in all. Written: {directory / recipes.MARKDOWN}")


def check_replaceable(directory: pathlib.Path, names: Iterable[str], page: str) -> None:
    """Raises ValueError if files would be replaced in a directory without an earlier report of this name."""
    existing = [name for name in names if os.path.lexists(directory / name)]
    if existing and not _is_report(directory / page):
        raise ValueError(
            f"{directory / existing[0]} exists, and {directory / page} is not an earlier report: "
            "choose another --output"
        )


def _is_report(page: pathlib.Path) -> bool:
    """True if a file is a page that this command has written."""
    if not page.is_file():
        return False
    with page.open("rb") as file:
        return _GENERATOR in file.read(1000)


_GENERATOR = b'<meta name="generator" content="nar">'


def write_files(directory: pathlib.Path, files: Mapping[str, bytes]) -> None:
    """Writes files by name to a directory, each atomically."""
    with path_in_errors(directory):
        directory.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        with atomic_write(directory / name) as file:
            file.write(content)


if __name__ == "__main__":
    launch(main, compiles=False, positional_args=True)
