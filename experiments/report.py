"""Writes a report on runs: an HTML page, the table of scores as Markdown and LaTeX, and plots.

    python -m experiments.report runs/bfs
    python -m experiments.report runs/* --output=reports/all

Arguments are directories of runs and of sweeps; all trials of a sweep are included. Only their files are
read: config, versions, metrics, result and evaluation. Unfinished runs are reported as such. --output is a
directory, or the path of the page if it ends in .html. Existing files are replaced once the whole report has
been made. Plots need matplotlib (extra `plots`).
"""

import pathlib

from absl import flags

from experiments.cli.launch import launch
from nar.atomic_io import atomic_write, path_in_errors
from nar.reports.run_report import make_report, make_settings, read_records, report_notes, score_table

_OUTPUT = flags.DEFINE_string("output", "report", "Directory of the report, or its page if it ends in .html.")
_EVALUATION = flags.DEFINE_string("evaluation", "evaluation", "The --name of the evaluation to report.")


def main(*directories: str) -> None:
    """Reads all runs, makes the report, and only then writes it."""
    if not directories:
        raise ValueError("name at least one directory of a run or of a sweep; see --help")
    output = pathlib.Path(_OUTPUT.value)
    directory, page = (output.parent, output.name) if output.suffix == ".html" else (output, "report.html")
    records = read_records([pathlib.Path(path) for path in directories], _EVALUATION.value)
    files = make_report(records, page)
    with path_in_errors(directory):
        directory.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        with atomic_write(directory / name) as file:
            file.write(content)
    settings = make_settings(records.runs)
    table = score_table(settings)
    print(table.as_text())
    print("".join(f"\nNote: {line}" for line in report_notes(records, settings)))
    print(f"Written: {directory / page}\nOther files: {', '.join(name for name in files if name != page)}")


if __name__ == "__main__":
    launch(main, compiles=False, positional_args=True)
