"""Benchmarks.

    python -m experiments.benchmark traces
    python -m experiments.benchmark traces --algorithms=bfs,minimum --sizes=16 --repeats=5
    python -m experiments.benchmark text
    python -m experiments.benchmark memory
    python -m experiments.benchmark memory --algorithms=insertion_sort --sizes=16 --parts=4 --run=
    python -m experiments.benchmark train
    python -m experiments.benchmark train --algorithms=bfs --processors=mpnn --repeats=21
    python -m experiments.benchmark train --num_seeds=1,5,10 --precision=bfloat16 --profile=profiles
    python -m experiments.benchmark evaluate
    python -m experiments.benchmark time_to_score
    python -m experiments.benchmark time_to_score --algorithms=bfs --repeats=1 --seed=4
    python -m experiments.benchmark padding
    python -m experiments.benchmark scaling --picture=scaling.png
    python -m experiments.benchmark scaling --sizes=16 --batch_sizes=32 --hidden_sizes=128 --num_seeds=1,5,10
    \
        --precision=bfloat16

`traces` measures traces per second in a single thread against dm-clrs 2.0.3, problem sampling and batching
included, the two taking turns with batches of one size (32; 8 of large problems, of which dm-clrs may make
one a second); then the seconds from a fresh process to its first batch, without and with numba's cache on
disk; then batches per second of the training stream with its prefetching thread.

`text` measures texts of CLRS-Text per second in a single thread against dm-clrs 2.0.3, the two taking turns:
problem, algorithm, question and answer, without hints and with all digits, as in the published sets.

`memory` prints a table of the memory of a training step and of an evaluation, in float32 and bfloat16, with
and without `model.remat`: what the compiled program needs for arguments, results and in between; how much of
it the forward pass of training keeps for the gradient, as the program says it, whatever the compiler makes of
it (that of CPUs computes in float32 where bfloat16 is asked for); and for the sizes of --run the largest
resident set of a fresh process that compiles and runs it. What needs more than 16 GiB is marked by a star,
and never run.

`train` measures training steps of the default recipe against dm-clrs 2.0.3, the two taking turns in one
process with the same parameters and the same batch, float32: the median ratio, and those of the least and the
best turn; the seconds of the first call of each, which compiles; and over the limit, that is over the time
that the multiply-adds of our matrix products alone would take at the rate of one such product, measured
beside it. That the losses of both are the same is checked where they are not random. dm-clrs is spared its
padding: both get traces padded to the longest of the batch. With --precision and --num_seeds ours computes in
bfloat16, or trains several seeds at once, and the ratio is that of the time for one; dm-clrs stays as it is.
--profile keeps what jax's profiler says. All runs on what jax finds, which is named.

`evaluate` measures predictions for a batch at n = 64 in the same way; the limit is that of products which fit
a cache, and of no step for a trace that has ended. The largest resident set of a process of its own for each
is by the account of the operating system.

`time_to_score` measures whole processes: from the start of the training command to 99 % of validation of bfs,
and 95 % of minimum and bellman_ford, making data, compiling and validating every 50 steps included, with
nothing kept on disk from before. The other process goes through the flow of the training script of dm-clrs,
but for the download of a test set with which that begins; its validation is drawn, as there, ours is that of
CLRS-30. How many steps it takes to a score is luck of the seed, so both have several (--repeats), in turn;
after each there is a summary of all until then. Before that it prints our start-up: seconds of an import, and
from the start of a process to the end of its first training step, without and with compiled code on disk.

`padding` counts, for batches of the default recipe, the programs that are compiled (one for each shape), the
steps that are computed for traces that have ended before the longest of their batch, and the nodes that are
padding. Steps of a bucket behind the longest trace are skipped.

`scaling` measures our training step as one thing grows and the others stay what --size, --batch_size,
--hidden_size say: problems, batches, hidden states, and seeds that are trained together (replicas). It prints
milliseconds a step, the time of a trace and of one step of its algorithm, and the memory of the compiled
program; what needs more than --memory is compiled and not run. Options for one kind of device are none: it
runs on what jax finds, which it names.
"""

import itertools
import pathlib
import sys
from collections.abc import Sequence
from typing import Any

from absl import app, flags

from experiments.benchmarks import text as text_benchmark
from experiments.benchmarks import traces as trace_benchmark
from nar.algorithms import ALGORITHMS, find_algorithm

_ALGORITHMS = flags.DEFINE_list(
    "algorithms",
    None,
    "Which algorithms; by default the thirty of CLRS-30 for traces and text, bfs for memory, seven for "
    "train, three for evaluate.",
)
_SIZES = flags.DEFINE_list(
    "sizes",
    None,
    "Problem sizes; by default 16,64 for traces, 16,64,128,256 for memory, 16 for train, 64 for evaluate, "
    "for text the least and the largest length of the algorithm in the published training set.",
)
_REPEATS = flags.DEFINE_integer(
    "repeats",
    None,
    "How often the two take turns; by default 3, for train 11. End_to_end: how many seeds.",
    lower_bound=1,
)
_SECONDS = flags.DEFINE_float(
    "seconds", 0.2, "Traces, text: least time of one turn of ours.", lower_bound=0.01
)
_PROCESSORS = flags.DEFINE_list(
    "processors", ["triplet_gmpnn", "mpnn"], "Memory, train, evaluate: which processors."
)
_BATCH_SIZE = flags.DEFINE_integer(
    "batch_size", 32, "Traces at once, but for traces and text.", lower_bound=1
)
_HIDDEN_SIZE = flags.DEFINE_integer(
    "hidden_size", 128, "Train, evaluate, end_to_end: of states.", lower_bound=1
)
_PRECISION = flags.DEFINE_enum(
    "precision", "float32", ["float32", "bfloat16"], "Train, scaling: of the network."
)
_SIZE = flags.DEFINE_integer("size", 16, "Scaling: of problems, where something else grows.", lower_bound=1)
_BATCH_SIZES = flags.DEFINE_list("batch_sizes", ["4", "8", "16", "32", "64"], "Scaling: which.")
_HIDDEN_SIZES = flags.DEFINE_list("hidden_sizes", ["32", "64", "128", "256"], "Scaling: which.")
_NUM_SEEDS = flags.DEFINE_list(
    "num_seeds", None, "How many seeds at once; by default 1 for train, 1,2,5,10 for scaling."
)
_PROFILE = flags.DEFINE_string(
    "profile", None, "Train: folder for what jax's profiler says of three steps of each case."
)
_MEMORY = flags.DEFINE_float("memory", 16.0, "Scaling: GiB that a program may take.", lower_bound=0.0)
_PICTURE = flags.DEFINE_string("picture", None, "Scaling: PNG or SVG file of a plot.")
_STEPS = flags.DEFINE_integer("steps", 2000, "End_to_end: after how many to give up.", lower_bound=50)
_SEED = flags.DEFINE_integer("seed", 0, "End_to_end: the first, of both.")
_BATCHES = flags.DEFINE_integer("batches", 200, "Waste: how many are looked at.", lower_bound=1)
_PARTS = flags.DEFINE_integer("parts", 1, "Memory: in how many parts a batch is trained on.", lower_bound=1)
_RUN = flags.DEFINE_list("run", ["16"], "Memory: sizes at which cases are run, not compiled only.")

CLRS30 = [name for name, algorithm in ALGORITHMS.items() if algorithm.in_clrs30]


def traces() -> None:
    """Traces per second against dm-clrs, and the time to a first batch."""
    trace_benchmark.traces(_names(CLRS30), _sizes([16, 64]), _REPEATS.value or 3, _SECONDS.value)


def text() -> None:
    """Texts per second against dm-clrs."""
    text_benchmark.texts(_names(CLRS30), _sizes([]), _REPEATS.value or 3, _SECONDS.value)


def memory() -> None:
    """Memory by size, processor, precision and whether steps are computed anew."""
    from experiments.benchmarks import memory as memory_benchmark
    from nar.processors import find_processor
    from nar.training import check_grad_accumulation_steps

    names, sizes, run = _names(["bfs"]), _sizes([16, 64, 128, 256]), [_number(word) for word in _RUN.value]
    for name in names:
        for size in sizes:
            ALGORITHMS[name].problem.resolve_options(size, {})
    for name in _PROCESSORS.value:
        find_processor(name)
    check_grad_accumulation_steps(_BATCH_SIZE.value, _PARTS.value)
    print(memory_benchmark.memory(names, sizes, _PROCESSORS.value, _BATCH_SIZE.value, _PARTS.value, run))


def train() -> None:
    """Training steps against dm-clrs."""
    from experiments.benchmarks import train as train_benchmark
    from experiments.benchmarks.lib.matched_networks import Variant

    variants = [Variant(_PRECISION.value, number) for number in _numbers(_NUM_SEEDS.value or ["1"])]
    profile = None if _PROFILE.value is None else pathlib.Path(_PROFILE.value)
    train_benchmark.train(_cases(train_benchmark.ALGORITHMS, 16), variants, _REPEATS.value or 11, profile)


def evaluate() -> None:
    """Time and memory of evaluation against dm-clrs."""
    from experiments.benchmarks import train as train_benchmark

    train_benchmark.evaluate(_cases(train_benchmark.EVALUATED, 64), _REPEATS.value or 3)


def time_to_score() -> None:
    """Time from the start of a process to a score, against dm-clrs."""
    from experiments.benchmarks import time_to_score as time_to_score_benchmark

    names = _names(list(time_to_score_benchmark.GOALS))
    seeds = range(_SEED.value, _SEED.value + (_REPEATS.value or 3))
    time_to_score_benchmark.time_to_score(names, _STEPS.value, seeds, _HIDDEN_SIZE.value)


def padding() -> None:
    """Padding of training, and compiled programs."""
    from experiments.benchmarks import padding as padding_benchmark

    padding_benchmark.padding(_names(CLRS30), _BATCHES.value)


def scaling() -> None:
    """What a training step costs as things grow."""
    from experiments.benchmarks import scaling as scaling_benchmark
    from nar.processors import find_processor

    (name,) = _names(["bfs"])[:1]
    values = {
        "size": _sizes([16, 32, 64, 128, 256]),
        "batch_size": _numbers(_BATCH_SIZES.value),
        "hidden_size": _numbers(_HIDDEN_SIZES.value),
        "num_seeds": _numbers(_NUM_SEEDS.value or ["1", "2", "5", "10"]),
    }
    for size in values["size"]:
        ALGORITHMS[name].problem.resolve_options(size, {})
    for processor in _PROCESSORS.value:
        find_processor(processor)
    picture = None if _PICTURE.value is None else pathlib.Path(_PICTURE.value)
    case = scaling_benchmark.Case(
        name, _PROCESSORS.value[0], _PRECISION.value, _SIZE.value, _BATCH_SIZE.value, _HIDDEN_SIZE.value
    )
    repeats = _REPEATS.value or 3
    scaling_benchmark.scaling(case, values, _PROCESSORS.value, repeats, _MEMORY.value, picture)


def _cases(usual: Sequence[str], size: int) -> list[Any]:
    """A case for each algorithm, processor and size."""
    from experiments.benchmarks.lib.matched_networks import Case
    from nar.model.dm_clrs.layouts import LAYOUTS

    names, sizes = _names(list(usual)), _sizes([size])
    for kind, chosen, known in (
        ("algorithm", names, ALGORITHMS),
        ("processor", _PROCESSORS.value, LAYOUTS),
    ):
        for name in chosen:
            if name not in known:
                raise ValueError(f"dm-clrs has no {kind} {name!r}; it has {', '.join(known)}")
    choices = itertools.product(names, _PROCESSORS.value, sizes)
    return [Case(*choice, _BATCH_SIZE.value, _HIDDEN_SIZE.value) for choice in choices]


def _names(usual: list[str]) -> list[str]:
    return [find_algorithm(name).name for name in _ALGORITHMS.value or usual]


def _sizes(usual: list[int]) -> list[int]:
    return _numbers(_SIZES.value) if _SIZES.value else usual


def _numbers(words: Sequence[str]) -> list[int]:
    return [_number(word) for word in words]


def _number(word: str) -> int:
    if not word.strip().isdigit() or int(word) < 1:
        raise ValueError(f"sizes must be whole numbers from 1, separated by commas, got {word!r}")
    return int(word)


BENCHMARKS = {
    "traces": traces,
    "text": text,
    "memory": memory,
    "train": train,
    "evaluate": evaluate,
    "time_to_score": time_to_score,
    "padding": padding,
    "scaling": scaling,
}


def main(words: list[str]) -> None:
    """Runs the benchmark that is named on the command line."""
    if len(words) != 2 or words[1] not in BENCHMARKS:
        sys.exit(f"error: name one benchmark: {', '.join(BENCHMARKS)}")
    try:
        BENCHMARKS[words[1]]()
    except ValueError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    app.run(main)
