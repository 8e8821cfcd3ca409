"""Demonstrates a trained network next to the algorithm, or the algorithm alone; nothing is trained.

    python -m experiments.demo
    python -m experiments.demo --algorithm=dijkstra --output=dijkstra.html

The network is one in the package or, with --workdir, that of a run. The page is an HTML file, which is
opened in a browser if the command is run in a terminal.
"""

import pathlib
import sys
import webbrowser

from absl import flags

from experiments.cli import run_flags
from experiments.cli.launch import launch
from experiments.cli.own_command import own_command
from experiments.cli.paths import define_path
from nar import sample_traces
from nar.algorithms import Algorithm, find_algorithm
from nar.reports import Layout, Run, diff_text, trace_page, trace_text, write_page
from nar.traces import TraceBatch

_ALGORITHM = flags.DEFINE_string("algorithm", "bfs", "Algorithm to show.")
_SIZE = flags.DEFINE_integer("size", 6, "Number of nodes.", lower_bound=2)
_OUTPUT = define_path("output", "demo.html", "Page to write.")
_OPEN = flags.DEFINE_bool("open", True, "Open the page in a browser if this is run in a terminal.")
flags.adopt_module_key_flags(run_flags)


def main() -> None:
    """Prints the answer of a network and of the algorithm, and writes a page on both."""
    algorithm = find_algorithm(_ALGORITHM.value)
    batch = sample_traces(algorithm.name, _SIZE.value, 1, seed=1)
    directory = run_flags.find_run_directory() or pretrained_directory(algorithm.name)
    text, page = _show_algorithm(algorithm, batch) if directory is None else _ask(directory, algorithm, batch)
    print(text)
    path = pathlib.Path(_OUTPUT.value)
    write_page(path, page)
    print(f"\nWritten: {path}")
    if _OPEN.value and sys.stdout.isatty():
        webbrowser.open(path.resolve().as_uri())


def pretrained_directory(algorithm: str) -> str | None:
    """The folder of the network of this algorithm in the package; None if there is none."""
    from nar.runs.pretrained import find_pretrained, pretrained_seeds

    seeds = pretrained_seeds().get(algorithm)
    return str(find_pretrained(algorithm, seeds[0])) if seeds else None


def _show_algorithm(algorithm: Algorithm, batch: TraceBatch) -> tuple[str, str]:
    """Text and page of the algorithm alone."""
    name, trace = algorithm.name, batch.trace(0)
    config = "bfs" if name == "bfs" else f"base --config.algorithms={name}"
    lines = [
        trace_text(algorithm.spec, trace, Layout(100, False)),
        "",
        f"This is the trace of {name} alone: the package has no trained network of {name}.",
        "To train one and see it next to the algorithm:",
        "",
        f"    {own_command('train')} --config={config} --workdir=runs/{name}",
        f"    {own_command('demo')} --algorithm={name} --workdir=runs/{name}",
    ]
    return "\n".join(lines), trace_page(algorithm, [Run(name, trace)], _origin())


def _ask(directory: str, algorithm: Algorithm, batch: TraceBatch) -> tuple[str, str]:
    """Text and page of a network's predictions next to the algorithm."""
    from experiments.cli.shown_instance import Network, ShownInstance
    from nar.runs.pretrained import run_name
    from nar.training.devices import use_compilation_cache

    use_compilation_cache()
    network = Network(directory, run_flags.load_chosen_run(directory), False)
    comparison = network.run(network.find_algorithm(algorithm.name), ShownInstance(batch, _origin()))
    layout = Layout(100, False)
    text = diff_text(comparison.spec, comparison.truth, comparison.predicted, comparison.steps, layout)
    runs = [
        Run(algorithm.name, comparison.truth),
        Run(f"network: {run_name(directory)}", comparison.predicted, comparison.steps),
    ]
    return text, trace_page(algorithm, runs, _origin(), spec=comparison.spec)


def _origin() -> str:
    return f"size {_SIZE.value} · seed 1 · trace 0"


if __name__ == "__main__":
    launch(main, compiles=False)
