"""Time and memory of predictions of nar and dm-clrs 2.0.3, measured in one process, and their ratios.

    python -m experiments.benchmark evaluate

Measures predictions for a batch at n = 64 like `train` measures training steps; the ideal assumes products
that fit in the cache, and no steps after the end of a trace. The peak resident set size is that of a fresh
process for each, as reported by the operating system.
"""

import statistics
from collections.abc import Sequence

from absl import flags

from experiments.benchmarks.lib import multiply_adds
from experiments.benchmarks.lib.benchmark_flags import (
    define_algorithms,
    define_count,
    define_processors,
    define_sizes,
)
from experiments.benchmarks.lib.interleaved_timing import summary
from experiments.benchmarks.lib.matched_networks import (
    Case,
    dm_clrs_options,
    make_matched_networks,
    matched_cases,
)
from experiments.benchmarks.lib.peak_memory import run_code
from experiments.benchmarks.train import DM_CLRS, NAR, header, row, time_interleaved

FLAGS = flags.FlagValues()
_ALGORITHMS = define_algorithms(FLAGS, ["bfs", "bellman_ford", "minimum"])
_SIZES = define_sizes(FLAGS, 64)
_PROCESSORS = define_processors(FLAGS)
_BATCH_SIZE = define_count(FLAGS, "batch_size", 32, "Batch size.")
_HIDDEN_SIZE = define_count(FLAGS, "hidden_size", 128, "Hidden size.")
_REPEATS = define_count(FLAGS, "repeats", 3, "Number of interleaved pairs of batches.")

MIB = 2**20


def main() -> None:
    """Benchmarks time and memory of evaluation against dm-clrs."""
    sizes = _BATCH_SIZE.value, _HIDDEN_SIZE.value
    cases = matched_cases(_ALGORITHMS.value, _PROCESSORS.value, _SIZES.value, *sizes)
    evaluate(cases, _REPEATS.value)


def evaluate(cases: Sequence[Case], repeats: int) -> None:
    """Prints a table of evaluations, with the peak resident set size of a fresh process for each.

    Args:
      cases: networks and batches.
      repeats: number of interleaved pairs of batches.
    """
    print(header("evaluation", f"process, {NAR} and {DM_CLRS}"), flush=True)
    ratios, memory = {}, {}
    for case in cases:
        nar, dm_clrs = make_matched_networks(case)
        times = time_interleaved(nar.evaluation(), dm_clrs.evaluation(), repeats)
        nar_bytes, dm_clrs_bytes = (resident_bytes(case, side) for side in (NAR, DM_CLRS))
        ratios[str(case)] = statistics.median(times.ratios)
        memory[str(case)] = dm_clrs_bytes / nar_bytes
        ideal = nar.multiply_adds_of_evaluation() / multiply_adds.rate(case.size**2, case.hidden_size)
        process = f"{nar_bytes / MIB:,.0f} and {dm_clrs_bytes / MIB:,.0f} MiB"
        print(row(str(case), times, ideal, process), flush=True)
    print(f"\nmemory, peak resident set size of a process: {summary(memory)}\ntime: {summary(ratios)}")


def resident_bytes(case: Case, side: str) -> int:
    """Peak resident set size of a fresh process that evaluates a batch with one implementation."""
    fields = ", ".join(repr(value) for value in case)
    code = f"from experiments.benchmarks.lib.peak_memory import evaluate_nar; evaluate_nar({fields})"
    if side == DM_CLRS:
        named = ", ".join(f"{key}={value!r}" for key, value in dm_clrs_options(case).items())
        call = f"evaluate_dm_clrs({fields}, {named})"
        code = f"from experiments.benchmarks.lib.peak_memory import evaluate_dm_clrs; {call}"
    return int(run_code(code)[-1])
