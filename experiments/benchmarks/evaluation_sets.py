"""Peak memory and time of drawing the problems of an evaluation, with all hints or the first ones only.

    python -m experiments.benchmark evaluation_sets

Draws the problems of an evaluation in fresh processes, with the hints of all steps and with the first ones
only, as `experiments.evaluate` does without --hints: peak resident set size and time.
"""

import time
from collections.abc import Sequence

from absl import flags

from experiments.benchmarks.lib.benchmark_flags import define_algorithms, define_sizes
from experiments.benchmarks.lib.peak_memory import print_resident_bytes, run_code
from nar.algorithms import find_algorithm
from nar.evaluation.problem_sets import make_problem_sets
from nar.reports import Table
from nar.traces import clrs30_sample

FLAGS = flags.FlagValues()
_ALGORITHMS = define_algorithms(FLAGS, ["floyd_warshall"])
_SIZES = define_sizes(FLAGS, 64, 128, 256)

SEED = 4
"""Not the seed of the canonical test split, which is cached on disk with all hints."""

GIB = 2**30


def main() -> None:
    """Measures memory and time of drawing the problems of an evaluation."""
    print(evaluation_sets(_ALGORITHMS.value, _SIZES.value))


def draw(algorithm: str, size: int, all_hints: bool) -> None:
    """Draws the traces once their algorithm is compiled; prints the seconds, and the peak memory in bytes."""
    clrs30_sample(algorithm, min(size, 8), 1, SEED)
    (problems,) = make_problem_sets(find_algorithm(algorithm), (size,), (SEED,))
    start = time.perf_counter()
    problems.draw(all_hints=all_hints)
    print(time.perf_counter() - start)
    print_resident_bytes()


def measure(algorithm: str, size: int, all_hints: bool) -> tuple[float, int]:
    """Seconds and peak resident set size in bytes of a fresh process."""
    code = (
        f"from experiments.benchmarks.evaluation_sets import draw; draw({algorithm!r}, {size}, {all_hints})"
    )
    seconds, peak = run_code(code)[-2:]
    return float(seconds), int(peak)


def evaluation_sets(algorithms: Sequence[str], sizes: Sequence[int]) -> str:
    """Returns a table with a row per algorithm and size."""
    rows = []
    for algorithm in algorithms:
        for size in sizes:
            cells = [measure(algorithm, size, all_hints) for all_hints in (True, False)]
            texts = [f"{peak / GIB:.2f} GiB, {seconds:.1f} s" for seconds, peak in cells]
            rows.append([algorithm, str(size), *texts])
            print(*rows[-1], sep="  ", flush=True)
    return Table(["algorithm", "n", "all hints", "first hints only"], rows).as_text()
