"""Shows a run of an algorithm, step by step: in the terminal, or as a page for a browser.

    python -m experiments.show --algorithm=bfs --size=8 --seed=1
    python -m experiments.show --algorithm=bfs --size=8 --seed=1 --p=0.3 --output=trace.html

The run is trace `index` of the series of this algorithm, size and seed (`nar.sample_traces`). Options of the
problem are flags. What changed in a step is coloured on a terminal, and else marked by a star.
"""

import ast
import io
import os
import pathlib
import shutil
import sys
from typing import Any

from absl import flags

from experiments.command_line import launch
from nar import ALGORITHMS, sample_traces
from nar.algorithms import Algorithm, find_algorithm
from nar.reports import Layout, Run, trace_page, trace_text, write_page
from nar.traces import Trace

_ALGORITHM = flags.DEFINE_string("algorithm", None, f"One of {', '.join(ALGORITHMS)}.", required=True)
_SIZE = flags.DEFINE_integer("size", 8, "Number of nodes.")
_SEED = flags.DEFINE_integer("seed", 1, "Seed of the series of traces.")
_INDEX = flags.DEFINE_integer("index", 0, "Which trace of the series.", lower_bound=0)
_OUTPUT = flags.DEFINE_string("output", None, "Write a page to this file, and no text.")


def _define_options() -> dict[str, flags.FlagHolder[str | None]]:
    """A flag for each option of any problem."""
    owners: dict[str, list[str]] = {}
    for algorithm in ALGORITHMS.values():
        for option in algorithm.problem.options:
            owners.setdefault(option, []).append(algorithm.name)
    return {
        option: flags.DEFINE_string(option, None, f"Problem option of {', '.join(names)}.")
        for option, names in owners.items()
    }


_OPTIONS = _define_options()


def main() -> None:
    """Makes the trace, and prints it or writes its page."""
    algorithm = find_algorithm(_ALGORITHM.value)
    words = {name: flag.value for name, flag in _OPTIONS.items() if flag.value is not None}
    options = {name: parse_option(word) for name, word in words.items()}
    batch = sample_traces(algorithm.name, _SIZE.value, 1, _SEED.value, first=_INDEX.value, **options)
    facts = [f"size {_SIZE.value}", f"seed {_SEED.value}", f"trace {_INDEX.value}"]
    facts += [f"{name} = {word}" for name, word in words.items()]
    if _OUTPUT.value is None:
        print_trace(algorithm, batch.trace(0), " · ".join(facts))
        return
    path = pathlib.Path(_OUTPUT.value)
    write_page(path, trace_page(algorithm, [Run(algorithm.name, batch.trace(0))], " · ".join(facts)))
    print(f"Written: {path}")


def parse_option(word: str) -> Any:
    """A number, a list or a truth value, if the word is one, or else the word itself."""
    try:
        return ast.literal_eval(word)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return {"true": True, "false": False}.get(word.lower(), word)


def print_trace(algorithm: Algorithm, trace: Trace, facts: str) -> None:
    """Prints a run as wide as the terminal, in colours if it is one and NO_COLOR is not set."""
    colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    layout = Layout(shutil.get_terminal_size((100, 24)).columns, colour)
    title = layout.title(algorithm.name) + layout.faint(f" · {facts}\n{algorithm.source}")
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    try:
        print(f"{title}\n\n{trace_text(algorithm.spec, trace, layout)}", flush=True)
    except BrokenPipeError:
        # The reader (head, less) has seen enough. What is left must not fail when Python closes its output.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    launch(main, compiles=False)
