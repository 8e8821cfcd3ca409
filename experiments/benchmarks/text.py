"""Texts per second, ours against dm-clrs 2.0.3 in one run, as ratios."""

from collections.abc import Sequence

from absl import logging

from experiments.benchmarks.lib.interleaved_timing import Rates, compare, summary, take_turns
from nar.text import TEXT_SETS, sample_texts

TEXTS = 32
"""Of ours between two looks at the clock."""


def texts(names: Sequence[str], sizes: Sequence[int], repeats: int, seconds: float) -> None:
    """Prints texts per second against dm-clrs.

    Args:
      names: of algorithms.
      sizes: of problems; if there are none, the least and the largest length of each algorithm in the
        published training set.
      repeats: how often the two take turns.
      seconds: least time of one turn.
    """
    from experiments.benchmarks.lib.import_dm_clrs import import_clrs

    clrs = import_clrs()
    from clrs._src.clrs_text import clrs_utils

    logging.set_verbosity(logging.ERROR)

    def rates(name: str, size: int) -> Rates:
        sampler, _ = clrs.build_sampler(name, -1, length=size, seed=0, track_max_steps=False)
        ours = sample_texts(name, size, None, seed=0)
        for _ in range(300):
            next(ours)

        def our_texts() -> int:
            for _ in range(TEXTS):
                next(ours)
            return TEXTS

        def their_text() -> int:
            clrs_utils.format_clrs_example(name, sampler.next(batch_size=1))
            return 1

        their_text()
        return take_turns(our_texts, their_text, repeats, seconds)

    cases = [(name, size) for name in names for size in sizes or _published(name)]
    print(summary(compare("texts", cases, rates)))


def _published(name: str) -> tuple[int, ...]:
    lengths = TEXT_SETS["train"].lengths.get(name, (16,))
    return tuple(dict.fromkeys((lengths[0], lengths[-1])))
