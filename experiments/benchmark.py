"""Runs a benchmark by name, with flags of its own.

    python -m experiments.benchmark traces
    python -m experiments.benchmark train --algorithms=bfs --processors=mpnn --repeats=21
    python -m experiments.benchmark train --help

Each module of `experiments/benchmarks` is a benchmark: its docstring explains what it measures, `FLAGS` are
its flags, and `main` runs it. Comparisons with dm-clrs 2.0.3 report ratios; those of single calls are
interleaved in one process. Benchmarks run on the devices that jax finds.
"""

import functools
import importlib
import pkgutil
import sys
import types
from collections.abc import Sequence

from absl import flags

import experiments.benchmarks
from experiments.cli.launch import launch
from nar.plugins import unknown_name
from nar.training.devices import check_platform


def benchmark_names() -> tuple[str, ...]:
    """Names of the modules in `experiments/benchmarks`."""
    modules = pkgutil.iter_modules(experiments.benchmarks.__path__)
    return tuple(module.name for module in modules if not module.ispkg)


BENCHMARKS = benchmark_names()


def add_benchmark_flags(words: Sequence[str]) -> types.ModuleType | None:
    """Adds the flags of the benchmark that a command names to those of the script.

    Args:
      words: the command line, without the script.

    Returns:
      The module of the benchmark, or None if the first word is none.
    """
    if not words or words[0] not in BENCHMARKS:
        return None
    benchmark = importlib.import_module(f"experiments.benchmarks.{words[0]}")
    flags.FLAGS.append_flag_values(benchmark.FLAGS)
    benchmark.FLAGS.mark_as_parsed()
    for name in benchmark.FLAGS:
        flags.FLAGS.register_key_flag_for_module(sys.argv[0], flags.FLAGS[name])
    return benchmark


def run_benchmark(benchmark: types.ModuleType | None, *names: str) -> None:
    """Runs a benchmark.

    Args:
      benchmark: its module.
      *names: positional arguments of the command, of which there must be one, the name of the benchmark.

    Raises:
      ValueError: if no benchmark is named, or several, or jax has no device of its platform.
    """
    if len(names) == 1 and names[0] not in BENCHMARKS:
        raise ValueError(unknown_name("benchmark", names[0], BENCHMARKS))
    if len(names) != 1 or benchmark is None:
        raise ValueError(f"name one benchmark first: {', '.join(BENCHMARKS)}")
    check_platform()
    benchmark.main()


if __name__ == "__main__":
    _benchmark = add_benchmark_flags(sys.argv[1:])
    if _benchmark is not None:
        __doc__ = _benchmark.__doc__
    launch(functools.partial(run_benchmark, _benchmark), positional_args=True)
