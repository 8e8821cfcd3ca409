"""Shows the trace of an algorithm step by step, in the terminal or as an HTML page.

    python -m experiments.show --algorithm=bfs --size=8 --seed=1
    python -m experiments.show --algorithm=bfs --size=8 --seed=1 --p=0.3 --output=trace.html

The trace is number `index` of those of this algorithm, size and seed (`nar.sample_traces`). Problem options
are flags. Entries that changed in a step are colored on a terminal, and marked by a star elsewhere.

    python -m experiments.show --workdir=runs/bfs --index=3
    python -m experiments.show --pretrained=bfs --index=3
    python -m experiments.show --workdir=runs/bfs --size=8 --p=0.3 --output=diff.html
    python -m experiments.show --workdir=runs/bfs --input='{"edges": [[0, 1], [1, 2]], "s": 0}'

With --workdir or --pretrained, the predictions of a trained network are compared with the algorithm: its
hints and outputs, the number of correct entries at each step, and which entries are wrong. The instance is
number `index` of the test split; a sampled one, if a size, seed or option is given; or a problem of your own.
"""

import ast
import io
import os
import pathlib
import shutil
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from absl import flags

from experiments.cli import input_flags, run_flags
from experiments.cli.input_flags import SCALE_INPUTS, print_warnings
from experiments.cli.json_input import parse_input
from experiments.cli.launch import launch
from experiments.cli.paths import define_path
from nar import ALGORITHMS, sample_traces
from nar.algorithms import Algorithm, find_algorithm
from nar.reports import Layout, Run, diff_text, trace_page, trace_text, write_page
from nar.traces import TraceBatch

if TYPE_CHECKING:
    from experiments.cli.shown_instance import Network, ShownInstance

_ALGORITHM = flags.DEFINE_string(
    "algorithm",
    None,
    f"One of {', '.join(ALGORITHMS)}; with --workdir, one of the run's, optional if it has only one.",
)
_INPUT = flags.DEFINE_string("input", None, "With --workdir: arguments of a problem by name, as JSON.")
_LENGTHS = flags.DEFINE_enum(
    "lengths",
    "own",
    ["own", "true"],
    "With --workdir: the network's own number of steps, or the algorithm's.",
)
_SIZE = flags.DEFINE_integer("size", 8, "Number of nodes.")
_SEED = flags.DEFINE_integer("seed", 1, "Seed of the traces.")
_INDEX = flags.DEFINE_integer("index", 0, "Index of the trace.", lower_bound=0)
_OUTPUT = define_path("output", None, "Write an HTML page to this file instead of printing text.")


def _define_options() -> dict[str, flags.FlagHolder[str | None]]:
    """Defines a flag for each option of any problem."""
    algorithms_by_option: dict[str, list[str]] = {}
    for algorithm in ALGORITHMS.values():
        for option in algorithm.problem.options:
            algorithms_by_option.setdefault(option, []).append(algorithm.name)
    return {
        option: flags.DEFINE_string(option, None, f"Problem option of {', '.join(names)}.")
        for option, names in algorithms_by_option.items()
    }


_OPTIONS = _define_options()
flags.adopt_module_key_flags(input_flags)
flags.adopt_module_key_flags(run_flags)

_NETWORK_FLAGS = (
    "input",
    "scale_inputs",
    "lengths",
    "checkpoint",
    "checkpoint_fallback",
    "seed_index",
    "trust",
)
"""Flags that require --workdir."""


def main() -> None:
    """Shows a trace, or compares a network with it if --workdir or --pretrained is given."""
    directory = run_flags.find_run_directory()
    if directory is not None:
        show_network(directory)
        return
    if _ALGORITHM.value is None:
        raise ValueError("give --algorithm to show a trace, or --workdir or --pretrained to show predictions")
    misplaced = [name for name in _NETWORK_FLAGS if flags.FLAGS[name].present]
    if misplaced:
        raise ValueError(f"--{misplaced[0]} needs --workdir, the directory of a run, or --pretrained")
    algorithm = find_algorithm(_ALGORITHM.value)
    batch, origin = sample_from_flags(algorithm)
    if _OUTPUT.value is None:
        print_text(algorithm, origin, lambda layout: trace_text(algorithm.spec, batch.trace(0), layout))
    else:
        write(_OUTPUT.value, trace_page(algorithm, [Run(algorithm.name, batch.trace(0))], origin))


def sample_from_flags(algorithm: Algorithm) -> tuple[TraceBatch, str]:
    """Samples the trace that the flags describe, and describes its origin."""
    words = {name: flag.value for name, flag in _OPTIONS.items() if flag.value is not None}
    options = {name: parse_option(word) for name, word in words.items()}
    batch = sample_traces(algorithm.name, _SIZE.value, 1, _SEED.value, first=_INDEX.value, **options)
    origin = [f"size {_SIZE.value}", f"seed {_SEED.value}", f"trace {_INDEX.value}"]
    return batch, " · ".join([*origin, *(f"{name} = {word}" for name, word in words.items())])


def show_network(workdir: str) -> None:
    """Compares the predictions of a run's network with the algorithm."""
    # Imported here, so that showing a trace does not import jax.
    from experiments.cli.shown_instance import Network
    from nar.runs.pretrained import run_name
    from nar.training.devices import use_compilation_cache

    use_compilation_cache()
    sampling_flags = [name for name in ("size", "seed", *_OPTIONS) if flags.FLAGS[name].present]
    if _INPUT.value is not None and (sampling_flags or flags.FLAGS["index"].present):
        raise ValueError(f"--input gives the instance: leave out --{[*sampling_flags, 'index'][0]}")
    if _INPUT.value is None and flags.FLAGS["scale_inputs"].present:
        raise ValueError("--scale_inputs needs --input: instances of other origin are never scaled")
    network = Network(workdir, run_flags.load_chosen_run(workdir), _LENGTHS.value == "true")
    algorithm = network.find_algorithm(_ALGORITHM.value)
    instance = find_instance(network, algorithm, bool(sampling_flags))
    comparison = network.run(algorithm, instance)
    if instance.scaled is not None:
        print_warnings(instance.scaled.warnings)
    name = run_name(workdir)
    origin = f"{instance.origin} · {name}, step {network.step}"
    if _OUTPUT.value is None:
        print_text(
            algorithm,
            origin,
            lambda layout: diff_text(
                comparison.spec, comparison.truth, comparison.predicted, comparison.steps, layout
            ),
        )
    else:
        runs = [
            Run(algorithm.name, comparison.truth),
            Run(f"network: {name}", comparison.predicted, comparison.steps),
        ]
        write(_OUTPUT.value, trace_page(algorithm, runs, origin, spec=comparison.spec))


def find_instance(network: "Network", algorithm: Algorithm, is_sampled: bool) -> "ShownInstance":
    """The instance that the flags describe."""
    from experiments.cli.shown_instance import ShownInstance, test_split_instance

    if _INPUT.value is not None:
        return network.custom_instance(algorithm, parse_input(_INPUT.value), may_change=SCALE_INPUTS.value)
    if is_sampled:
        return ShownInstance(*sample_from_flags(algorithm))
    return ShownInstance(test_split_instance(algorithm, _INDEX.value), f"test split, number {_INDEX.value}")


def parse_option(word: str) -> Any:
    """Parses a number, a list or a Boolean; returns any other word unchanged."""
    try:
        return ast.literal_eval(word)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return {"true": True, "false": False}.get(word.lower(), word)


def write(file: str, page: str) -> None:
    """Writes the page and prints its path."""
    path = pathlib.Path(file)
    write_page(path, page)
    print(f"Written: {path}")


def print_text(algorithm: Algorithm, origin: str, text: Callable[[Layout], str]) -> None:
    """Prints a text at the width of the terminal, in color if it is a terminal and NO_COLOR is not set."""
    color = sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    layout = Layout(shutil.get_terminal_size((100, 24)).columns, color)
    title = layout.title(algorithm.name) + layout.faint(f" · {origin}\n{algorithm.source}")
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    try:
        print(f"{title}\n\n{text(layout)}", flush=True)
    except BrokenPipeError:
        # The reader (head, less) has closed the pipe; keep Python from failing when it flushes stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    launch(main, compiles=False)
