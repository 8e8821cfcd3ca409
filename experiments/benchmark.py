"""Runs a benchmark by name.

    python -m experiments.benchmark traces
    python -m experiments.benchmark traces --algorithms=bfs,minimum --sizes=16 --repeats=5
    python -m experiments.benchmark text
    python -m experiments.benchmark memory
    python -m experiments.benchmark memory --sizes=16 --grad_accumulation_steps=4 --run=
    python -m experiments.benchmark train
    python -m experiments.benchmark train --algorithms=bfs --processors=mpnn --repeats=21
    python -m experiments.benchmark train --num_seeds=1,5,10 --precision=bfloat16 --profile=profiles
    python -m experiments.benchmark evaluate
    python -m experiments.benchmark time_to_score
    python -m experiments.benchmark time_to_score --algorithms=bfs --repeats=1 --seed=4
    python -m experiments.benchmark padding
    python -m experiments.benchmark scaling --picture=scaling.png
    python -m experiments.benchmark scaling --sizes=16 --batch_sizes=32 --hidden_sizes=128 \
        --num_seeds=1,5,10 --precision=bfloat16

Measurements of nar and dm-clrs 2.0.3 are interleaved in one process, and their ratio is reported. Benchmarks
run on the devices that jax finds.

`traces` measures traces per second in a single thread against dm-clrs, including problem sampling and
batching, with equal batch sizes (32; 8 for large problems, of which dm-clrs may make one per second); then
the time from the start of a process to its first batch, with an empty and a filled numba cache; then batches
per second of the training stream with and without prefetching.

`text` measures CLRS-Text texts per second in a single thread against dm-clrs: problem, algorithm, question
and answer, without hints and with all digits, as in the published sets.

`memory` prints a table of the memory of a training step and of an evaluation, in float32 and bfloat16, with
and without `model.remat`: the memory of the compiled program for arguments, outputs and temporaries; the
residuals that the forward pass of training keeps for the gradient in the traced program (the CPU compiler
may use float32 in place of bfloat16); and for the sizes of --run the peak resident set size of a fresh
process that compiles and runs it. Programs that need more than 16 GiB are marked by a star and never run.

`train` measures training steps of the default recipe against dm-clrs, with the same parameters and the same
batch in float32: the median ratio and its range; the time of the first call, which compiles; and the time
over the ideal, which is the time of the multiply-adds of nar's matrix products at the measured rate of one
such product. The losses of both are checked to be equal where they are not random. dm-clrs does not pay for
its padding: both receive traces padded to the longest of the batch. With --precision and --num_seeds nar
computes in bfloat16, or trains several seeds at once, and the ratio is per seed; dm-clrs is unchanged.
--profile writes profiles of jax's profiler.

`evaluate` measures predictions for a batch at n = 64 in the same way; the ideal assumes products that fit in
the cache, and no steps after the end of a trace. The peak resident set size is that of a fresh process for
each, as reported by the operating system.

`time_to_score` measures whole processes: from the start of the training command to 99 % validation score on
bfs, and 95 % on minimum and bellman_ford, including data generation, compilation and an evaluation every 50
steps, with empty caches. The dm-clrs process follows its training script without the initial download of a
test set; its validation set is sampled, as in the script, while that of nar is the one of CLRS-30. The number
of steps varies with the seed, so both run with several seeds (--repeats), alternately; after each there is a
summary so far. Before that it prints the start-up time of nar: the time of an import, and from the start of a
process to the end of its first training step, with empty caches and with compiled code on disk.

`evaluation_sets` draws the problems of an evaluation in fresh processes, with the hints of all steps and with
the first ones only, as `experiments.evaluate` does without --hints: peak resident set size and time.

`padding` counts, for batches of the default recipe, the compiled programs (one per shape), the computed steps
of traces that have ended before the longest of their batch, and the padding nodes. Bucket steps after the
longest trace are skipped.

`scaling` measures the training step of nar as a function of the problem size, the batch size, the hidden size
and the number of seeds trained together, one at a time, while the others are --size, --batch_size,
--hidden_size and 1. It prints the time per step, the time per trace and algorithm step, and the memory of
the compiled program; programs that need more than --memory are compiled but not run.
"""

import itertools
import pathlib
import sys
from collections.abc import Sequence
from typing import Any

from absl import app, flags, logging

from experiments.benchmarks import text as text_benchmark
from experiments.benchmarks import traces as trace_benchmark
from experiments.cli.paths import define_path
from nar.algorithms import ALGORITHMS, find_algorithm

_ALGORITHMS = flags.DEFINE_list(
    "algorithms",
    None,
    "Algorithms; by default all of CLRS-30 for traces, text and padding, bfs for memory and scaling, seven "
    "for train, three for evaluate and time_to_score.",
)
_SIZES = flags.DEFINE_list(
    "sizes",
    None,
    "Problem sizes; by default 16,64 for traces, 16,64,128,256 for memory, 16 for train, 64 for evaluate, "
    "for text the smallest and largest length of the algorithm in the published training set.",
)
_REPEATS = flags.DEFINE_integer(
    "repeats",
    None,
    "Number of interleaved measurements; by default 3, for train 11. time_to_score: number of seeds.",
    lower_bound=1,
)
_SECONDS = flags.DEFINE_float(
    "seconds", 0.2, "traces, text: minimum time of one measurement.", lower_bound=0.01
)
_PROCESSORS = flags.DEFINE_list(
    "processors", ["triplet_gmpnn", "mpnn"], "memory, train, evaluate, scaling: processors."
)
_BATCH_SIZE = flags.DEFINE_integer(
    "batch_size", 32, "memory, train, evaluate, scaling: batch size.", lower_bound=1
)
_HIDDEN_SIZE = flags.DEFINE_integer(
    "hidden_size", 128, "train, evaluate, time_to_score, scaling: hidden size.", lower_bound=1
)
_PRECISION = flags.DEFINE_enum(
    "precision", "float32", ["float32", "bfloat16"], "train, scaling: precision of the network."
)
_SIZE = flags.DEFINE_integer("size", 16, "scaling: problem size, unless it is varied.", lower_bound=1)
_BATCH_SIZES = flags.DEFINE_list("batch_sizes", ["4", "8", "16", "32", "64"], "scaling: batch sizes.")
_HIDDEN_SIZES = flags.DEFINE_list("hidden_sizes", ["32", "64", "128", "256"], "scaling: hidden sizes.")
_NUM_SEEDS = flags.DEFINE_list(
    "num_seeds", None, "Numbers of seeds trained together; by default 1 for train, 1,2,5,10 for scaling."
)
_PROFILE = define_path("profile", None, "train: directory for jax profiles of three steps of each case.")
_MEMORY = flags.DEFINE_float("memory", 16.0, "scaling: memory limit of a program in GiB.", lower_bound=0.0)
_PICTURE = define_path("picture", None, "scaling: PNG or SVG file of a plot.")
_STEPS = flags.DEFINE_integer("steps", 2000, "time_to_score: maximum number of steps.", lower_bound=50)
_SEED = flags.DEFINE_integer("seed", 0, "time_to_score: first seed.")
_BATCHES = flags.DEFINE_integer("batches", 200, "padding: number of batches.", lower_bound=1)
_GRAD_ACCUMULATION_STEPS = flags.DEFINE_integer(
    "grad_accumulation_steps", 1, "memory: gradient-accumulation steps in training.", lower_bound=1
)
_RUN = flags.DEFINE_list("run", ["16"], "memory: sizes at which programs are not only compiled, but run.")

CLRS30 = [name for name, algorithm in ALGORITHMS.items() if algorithm.in_clrs30]


def traces() -> None:
    """Benchmarks traces per second against dm-clrs, and the time to the first batch."""
    trace_benchmark.traces(_names(CLRS30), _sizes([16, 64]), _REPEATS.value or 3, _SECONDS.value)


def text() -> None:
    """Benchmarks texts per second against dm-clrs."""
    text_benchmark.texts(_names(CLRS30), _sizes([]), _REPEATS.value or 3, _SECONDS.value)


def memory() -> None:
    """Benchmarks memory by size, processor, precision and rematerialization."""
    from experiments.benchmarks import memory as memory_benchmark
    from nar.processors import find_processor
    from nar.training.train_step import check_grad_accumulation_steps

    names, sizes, run = _names(["bfs"]), _sizes([16, 64, 128, 256]), [_number(word) for word in _RUN.value]
    for name in names:
        for size in sizes:
            ALGORITHMS[name].problem.resolve_options(size, {})
    for name in _PROCESSORS.value:
        find_processor(name)
    check_grad_accumulation_steps(_BATCH_SIZE.value, _GRAD_ACCUMULATION_STEPS.value)
    print(
        memory_benchmark.memory(
            names, sizes, _PROCESSORS.value, _BATCH_SIZE.value, _GRAD_ACCUMULATION_STEPS.value, run
        )
    )


def train() -> None:
    """Benchmarks training steps against dm-clrs."""
    from experiments.benchmarks import train as train_benchmark
    from experiments.benchmarks.lib.matched_networks import Variant

    variants = [Variant(_PRECISION.value, number) for number in _numbers(_NUM_SEEDS.value or ["1"])]
    profile = None if _PROFILE.value is None else pathlib.Path(_PROFILE.value)
    train_benchmark.train(_cases(train_benchmark.ALGORITHMS, 16), variants, _REPEATS.value or 11, profile)


def evaluate() -> None:
    """Benchmarks time and memory of evaluation against dm-clrs."""
    from experiments.benchmarks import train as train_benchmark

    train_benchmark.evaluate(_cases(train_benchmark.EVALUATED, 64), _REPEATS.value or 3)


def time_to_score() -> None:
    """Benchmarks the time from process start to a score against dm-clrs."""
    from experiments.benchmarks import time_to_score as time_to_score_benchmark

    names = _names(list(time_to_score_benchmark.GOALS))
    seeds = range(_SEED.value, _SEED.value + (_REPEATS.value or 3))
    time_to_score_benchmark.time_to_score(names, _STEPS.value, seeds, _HIDDEN_SIZE.value)


def evaluation_sets() -> None:
    """Measures memory and time of drawing the problems of an evaluation."""
    from experiments.benchmarks import evaluation_sets as evaluation_set_benchmark

    print(evaluation_set_benchmark.evaluation_sets(_names(["floyd_warshall"]), _sizes([64, 128, 256])))


def padding() -> None:
    """Measures padding in training batches, and counts compiled programs."""
    from experiments.benchmarks import padding as padding_benchmark

    padding_benchmark.padding(_names(CLRS30), _BATCHES.value)


def scaling() -> None:
    """Benchmarks the cost of a training step as sizes grow."""
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
    plot_path = None if _PICTURE.value is None else pathlib.Path(_PICTURE.value)
    case = scaling_benchmark.Case(
        name, _PROCESSORS.value[0], _PRECISION.value, _SIZE.value, _BATCH_SIZE.value, _HIDDEN_SIZE.value
    )
    repeats = _REPEATS.value or 3
    scaling_benchmark.scaling(case, values, _PROCESSORS.value, repeats, _MEMORY.value, plot_path)


def _cases(default: Sequence[str], size: int) -> list[Any]:
    """Makes a case for each algorithm, processor and size."""
    from experiments.benchmarks.lib.matched_networks import Case
    from nar.model.dm_clrs.layouts import LAYOUTS

    names, sizes = _names(list(default)), _sizes([size])
    for kind, requested, known in (
        ("algorithm", names, ALGORITHMS),
        ("processor", _PROCESSORS.value, LAYOUTS),
    ):
        for name in requested:
            if name not in known:
                raise ValueError(f"dm-clrs has no {kind} {name!r}; it has {', '.join(known)}")
    choices = itertools.product(names, _PROCESSORS.value, sizes)
    return [Case(*choice, _BATCH_SIZE.value, _HIDDEN_SIZE.value) for choice in choices]


def _names(default: list[str]) -> list[str]:
    return [find_algorithm(name).name for name in _ALGORITHMS.value or default]


def _sizes(default: list[int]) -> list[int]:
    return _numbers(_SIZES.value) if _SIZES.value else default


def _numbers(words: Sequence[str]) -> list[int]:
    return [_number(word) for word in words]


def _number(word: str) -> int:
    if not word.strip().isdigit() or int(word) < 1:
        raise ValueError(f"sizes must be positive integers separated by commas, got {word!r}")
    return int(word)


BENCHMARKS = {
    "traces": traces,
    "text": text,
    "memory": memory,
    "train": train,
    "evaluate": evaluate,
    "time_to_score": time_to_score,
    "evaluation_sets": evaluation_sets,
    "padding": padding,
    "scaling": scaling,
}


def main(words: list[str]) -> None:
    """Runs the benchmark named on the command line."""
    if len(words) != 2 or words[1] not in BENCHMARKS:
        sys.exit(f"error: name one benchmark: {', '.join(BENCHMARKS)}")
    from nar.training.devices import check_platform

    logging.set_verbosity(logging.WARNING)
    try:
        check_platform()
        BENCHMARKS[words[1]]()
    except ValueError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    app.run(main)
