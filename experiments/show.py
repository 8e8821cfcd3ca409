"""Shows a run of an algorithm, step by step: in the terminal, or as a page for a browser.

    python -m experiments.show --algorithm=bfs --size=8 --seed=1
    python -m experiments.show --algorithm=bfs --size=8 --seed=1 --p=0.3 --output=trace.html

The run is trace `index` of the series of this algorithm, size and seed (`nar.sample_traces`). Options of the
problem are flags. What changed in a step is colored on a terminal, and else marked by a star.

    python -m experiments.show --workdir=runs/bfs --index=3
    python -m experiments.show --workdir=runs/bfs --size=8 --p=0.3 --output=beside.html
    python -m experiments.show --workdir=runs/bfs --input='{"edges": [[0, 1], [1, 2]], "s": 0}'

With --workdir a trained network goes beside the algorithm: its hints and outputs, how many entries are right
at each step, and which are wrong. The instance is number `index` of the test split; or that of a series, if a
size, seed or option is given; or a problem of your own.
"""

import ast
import io
import os
import pathlib
import shutil
import sys
from collections.abc import Callable
from typing import Any

from absl import flags

from experiments.cli.json_input import parse_input
from experiments.cli.launch import launch
from nar import ALGORITHMS, sample_traces
from nar.algorithms import Algorithm, find_algorithm
from nar.reports import Layout, Run, diff_text, trace_page, trace_text, write_page
from nar.traces import TraceBatch

_ALGORITHM = flags.DEFINE_string(
    "algorithm",
    None,
    f"One of {', '.join(ALGORITHMS)}; with --workdir one of the run's, by default its only one.",
)
_WORKDIR = flags.DEFINE_string("workdir", None, "Folder of a run, whose network goes beside the algorithm.")
_INPUT = flags.DEFINE_string("input", None, "With --workdir: arguments of a problem by name, as JSON.")
_LENGTHS = flags.DEFINE_enum(
    "lengths",
    "own",
    ["own", "true"],
    "With --workdir: the network's own number of steps, or the algorithm's.",
)
_CHECKPOINT = flags.DEFINE_enum("checkpoint", "best", ["best", "last"], "With --workdir: which checkpoint.")
_SEED_INDEX = flags.DEFINE_integer(
    "seed_index", 0, "With --workdir: which of the run's seeds, if it has several."
)
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


_OF_NETWORKS = ("input", "lengths", "checkpoint", "seed_index")
"""Flags that mean nothing without --workdir."""


def main() -> None:
    """Makes what is shown, and prints it or writes its page."""
    if _WORKDIR.value is not None:
        show_beside(_WORKDIR.value)
        return
    if _ALGORITHM.value is None:
        raise ValueError("--algorithm says what to show, or --workdir whose predictions")
    lonely = [name for name in _OF_NETWORKS if flags.FLAGS[name].present]
    if lonely:
        raise ValueError(f"--{lonely[0]} needs --workdir, the folder of a run")
    algorithm = find_algorithm(_ALGORITHM.value)
    batch, facts = sampled(algorithm)
    if _OUTPUT.value is None:
        print_text(algorithm, facts, lambda layout: trace_text(algorithm.spec, batch.trace(0), layout))
    else:
        write(_OUTPUT.value, trace_page(algorithm, [Run(algorithm.name, batch.trace(0))], facts))


def sampled(algorithm: Algorithm) -> tuple[TraceBatch, str]:
    """The trace of the series that the flags name, and where it comes from."""
    words = {name: flag.value for name, flag in _OPTIONS.items() if flag.value is not None}
    options = {name: parse_option(word) for name, word in words.items()}
    batch = sample_traces(algorithm.name, _SIZE.value, 1, _SEED.value, first=_INDEX.value, **options)
    facts = [f"size {_SIZE.value}", f"seed {_SEED.value}", f"trace {_INDEX.value}"]
    return batch, " · ".join([*facts, *(f"{name} = {word}" for name, word in words.items())])


def show_beside(workdir: str) -> None:
    """Shows the network of a run beside the algorithm."""
    # Here begins what needs jax.
    from experiments.cli.shown_instance import open_network
    from nar.training import use_compilation_cache

    use_compilation_cache()
    drawn = [name for name in ("size", "seed", *_OPTIONS) if flags.FLAGS[name].present]
    if _INPUT.value is not None and (drawn or flags.FLAGS["index"].present):
        raise ValueError(f"--input is the instance: leave out --{[*drawn, 'index'][0]}")
    network = open_network(workdir, _CHECKPOINT.value, _SEED_INDEX.value, _LENGTHS.value)
    algorithm = network.task(_ALGORITHM.value)
    batch, origin = instance(algorithm, bool(drawn))
    seen = network.run(algorithm, batch)
    facts = f"{origin} · {workdir}, step {network.step}"
    if _OUTPUT.value is None:
        print_text(
            algorithm,
            facts,
            lambda layout: diff_text(seen.spec, seen.truth, seen.predicted, seen.steps, layout),
        )
    else:
        runs = [
            Run(algorithm.name, seen.truth),
            Run(f"network of {workdir}", seen.predicted, seen.steps),
        ]
        write(_OUTPUT.value, trace_page(algorithm, runs, facts, spec=seen.spec))


def instance(algorithm: Algorithm, is_drawn: bool) -> tuple[TraceBatch, str]:
    """The instance that the flags name, and where it comes from."""
    from experiments.cli.shown_instance import custom_instance, test_split_instance

    if _INPUT.value is not None:
        return custom_instance(algorithm, parse_input(_INPUT.value)), "own input"
    if is_drawn:
        return sampled(algorithm)
    return test_split_instance(algorithm, _INDEX.value), f"test split, number {_INDEX.value}"


def parse_option(word: str) -> Any:
    """A number, a list or a truth value, if the word is one, or else the word itself."""
    try:
        return ast.literal_eval(word)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return {"true": True, "false": False}.get(word.lower(), word)


def write(file: str, page: str) -> None:
    """Writes the page, and says so."""
    path = pathlib.Path(file)
    write_page(path, page)
    print(f"Written: {path}")


def print_text(algorithm: Algorithm, facts: str, text: Callable[[Layout], str]) -> None:
    """Prints a text as wide as the terminal, in colors if it is one and NO_COLOR is not set."""
    color = sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    layout = Layout(shutil.get_terminal_size((100, 24)).columns, color)
    title = layout.title(algorithm.name) + layout.faint(f" · {facts}\n{algorithm.source}")
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    try:
        print(f"{title}\n\n{text(layout)}", flush=True)
    except BrokenPipeError:
        # The reader (head, less) has seen enough. What is left must not fail when Python closes its output.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    launch(main, compiles=False)
