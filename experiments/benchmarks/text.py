"""Texts per second of nar and of dm-clrs 2.0.3, measured in one process, and their ratios.

    python -m experiments.benchmark text

Measures CLRS-Text texts per second in a single thread against dm-clrs: problem, algorithm, question and
answer, without hints and with all digits, as in the published sets.
"""

from collections.abc import Sequence

from absl import flags, logging

from experiments.benchmarks.lib.benchmark_flags import define_algorithms, define_count, define_numbers
from experiments.benchmarks.lib.interleaved_timing import Rates, compare, interleaved_rates, summary
from nar.text import TEXT_SETS, sample_texts

FLAGS = flags.FlagValues()
_ALGORITHMS = define_algorithms(FLAGS)
_SIZES = define_numbers(
    FLAGS,
    "sizes",
    (),
    "Problem sizes; by default the smallest and largest published training length of each algorithm.",
)
_REPEATS = define_count(FLAGS, "repeats", 3, "Number of interleaved measurements.")
_SECONDS = flags.DEFINE_float(
    "seconds", 0.2, "Minimum time of one measurement.", lower_bound=0.01, flag_values=FLAGS
)

TEXTS_PER_CALL = 32
"""Texts of nar between two readings of the clock."""


def main() -> None:
    """Benchmarks texts per second against dm-clrs."""
    texts(_ALGORITHMS.value, _SIZES.value, _REPEATS.value, _SECONDS.value)


def texts(names: Sequence[str], sizes: Sequence[int], repeats: int, seconds: float) -> None:
    """Prints texts per second of nar and dm-clrs.

    Args:
      names: names of algorithms.
      sizes: problem sizes; if empty, the smallest and largest length of each algorithm in the published
        training set.
      repeats: number of interleaved measurements.
      seconds: minimum time of one measurement.
    """
    from experiments.benchmarks.lib.import_dm_clrs import import_clrs

    clrs = import_clrs()
    from clrs._src.clrs_text import clrs_utils

    logging.set_verbosity(logging.ERROR)

    def rates(name: str, size: int) -> Rates:
        sampler, _ = clrs.build_sampler(name, -1, length=size, seed=0, track_max_steps=False)
        nar = sample_texts(name, size, None, seed=0)
        for _ in range(300):
            next(nar)

        def nar_texts() -> int:
            for _ in range(TEXTS_PER_CALL):
                next(nar)
            return TEXTS_PER_CALL

        def dm_clrs_text() -> int:
            clrs_utils.format_clrs_example(name, sampler.next(batch_size=1))
            return 1

        dm_clrs_text()
        return interleaved_rates(nar_texts, dm_clrs_text, repeats, seconds)

    cases = [(name, size) for name in names for size in sizes or _published(name)]
    print(summary(compare("texts", cases, rates)))


def _published(name: str) -> tuple[int, ...]:
    lengths = TEXT_SETS["train"].lengths.get(name, (16,))
    return tuple(dict.fromkeys((lengths[0], lengths[-1])))
