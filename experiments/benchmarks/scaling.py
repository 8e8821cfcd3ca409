"""Cost of a training step as a function of problem size, batch size, hidden size and number of seeds.

    python -m experiments.benchmark scaling --picture=scaling.png
    python -m experiments.benchmark scaling --sizes=16 --batch_sizes=32 --hidden_sizes=128 \
        --num_seeds=1,5,10 --precision=bfloat16
    python -m experiments.benchmark scaling --processors=pgn_mask --executions=dense,sparse --p=0.15 \
        --sizes=16,64,256 --batch_sizes= --hidden_sizes= --num_seeds= --batch_size=8

Measures the training step of nar as a function of the problem size, the batch size, the hidden size and the
number of seeds trained together, one at a time, while the others are --size, --batch_size, --hidden_size and
1. It prints the time per step, the time per trace and algorithm step, and the memory of the compiled program;
programs that need more than --memory are compiled but not run. With --executions=dense,sparse both executions
of the same network are measured, whose pointers are along the edges.
"""

import dataclasses
import itertools
import pathlib
import statistics
import time
from collections.abc import Mapping, Sequence

import jax
from absl import flags

from experiments.benchmarks.lib.benchmark_flags import (
    define_count,
    define_numbers,
    define_processors,
    define_sizes,
)
from experiments.benchmarks.memory import GIB, program_bytes
from experiments.cli.paths import define_path
from nar.algorithms import find_algorithm
from nar.plugins import unknown_name
from nar.progress import ProgressBar
from nar.reports import Table, check_plot_path, draw_scaling
from nar.runs.build import new_state
from nar.runs.components import build_graph_run
from nar.runs.components.model import EXECUTIONS
from nar.runs.config import DataConfig, ModelConfig, RunConfig, TrainingConfig

FLAGS = flags.FlagValues()
_ALGORITHM = flags.DEFINE_string("algorithm", "bfs", "Algorithm.", flag_values=FLAGS)
_PROCESSORS = define_processors(FLAGS)
_EXECUTIONS = flags.DEFINE_list(
    "executions",
    [EXECUTIONS[0]],
    f"Executions: {', '.join(EXECUTIONS)}, or both; with sparse, pointers are along the edges in both.",
    flag_values=FLAGS,
)
_P = flags.DEFINE_float(
    "p",
    None,
    "Edge probability of graph problems, in place of the recipe's; an undirected edge exists with "
    "probability p².",
    lower_bound=0.0,
    upper_bound=1.0,
    flag_values=FLAGS,
)
_PRECISION = flags.DEFINE_enum(
    "precision", "float32", ["float32", "bfloat16"], "Precision of the network.", flag_values=FLAGS
)
_SIZES = define_sizes(FLAGS, 16, 32, 64, 128, 256)
_BATCH_SIZES = define_numbers(FLAGS, "batch_sizes", [4, 8, 16, 32, 64], "Batch sizes.")
_HIDDEN_SIZES = define_numbers(FLAGS, "hidden_sizes", [32, 64, 128, 256], "Hidden sizes.")
_NUM_SEEDS = define_numbers(FLAGS, "num_seeds", [1, 2, 5, 10], "Numbers of seeds trained together.")
_SIZE = define_count(FLAGS, "size", 16, "Problem size, unless it is varied.")
_BATCH_SIZE = define_count(FLAGS, "batch_size", 32, "Batch size, unless it is varied.")
_HIDDEN_SIZE = define_count(FLAGS, "hidden_size", 128, "Hidden size, unless it is varied.")
_REPEATS = define_count(FLAGS, "repeats", 3, "Number of timed steps.")
_MEMORY = flags.DEFINE_float(
    "memory", 16.0, "Memory limit of a program in GiB.", lower_bound=0.0, flag_values=FLAGS
)
_PICTURE = define_path("picture", None, "PNG or SVG file of a plot.", flag_values=FLAGS)

AXES: Mapping[str, str] = {
    "size": "problem size n",
    "batch_size": "batch size",
    "hidden_size": "hidden size",
    "num_seeds": "num_seeds",
}
"""Fields of `Case` that are varied, and their labels."""


@dataclasses.dataclass(frozen=True)
class Case:
    """A training step of the default recipe."""

    algorithm: str
    processor: str
    precision: str
    size: int
    batch_size: int
    hidden_size: int
    num_seeds: int = 1
    execution: str = EXECUTIONS[0]
    pairs: str = "all"
    p: float | None = None

    @property
    def label(self) -> str:
        """The processor, and an execution other than the default."""
        return self.processor if self.execution == EXECUTIONS[0] else f"{self.processor}, {self.execution}"


@dataclasses.dataclass(frozen=True)
class Cost:
    """Cost of a training step.

    Attributes:
      num_steps: number of steps of the network.
      gibibytes: memory of the compiled program.
      seconds: median time; None if the program exceeds the memory limit and was not run.
    """

    num_steps: int
    gibibytes: float
    seconds: float | None


def main() -> None:
    """Benchmarks the cost of a training step as sizes grow."""
    algorithm = find_algorithm(_ALGORITHM.value)
    values = {
        "size": _SIZES.value,
        "batch_size": _BATCH_SIZES.value,
        "hidden_size": _HIDDEN_SIZES.value,
        "num_seeds": _NUM_SEEDS.value,
    }
    options = {} if _P.value is None else {"p": _P.value}
    for size in values["size"]:
        algorithm.problem.resolve_options(size, options)
    for execution in _EXECUTIONS.value:
        if execution not in EXECUTIONS:
            raise ValueError(f"--executions: {unknown_name('execution', execution, EXECUTIONS)}")
    plot_path = None if _PICTURE.value is None else pathlib.Path(_PICTURE.value)
    base = Case(
        algorithm.name,
        _PROCESSORS.value[0],
        _PRECISION.value,
        _SIZE.value,
        _BATCH_SIZE.value,
        _HIDDEN_SIZE.value,
        pairs="edges" if "sparse" in _EXECUTIONS.value else "all",
        p=_P.value,
    )
    networks = [
        dataclasses.replace(base, processor=processor, execution=execution)
        for processor, execution in itertools.product(_PROCESSORS.value, _EXECUTIONS.value)
    ]
    scaling(networks, values, _REPEATS.value, _MEMORY.value, plot_path)


def scaling(
    networks: Sequence[Case],
    values: Mapping[str, Sequence[int]],
    repeats: int,
    limit: float,
    plot_path: pathlib.Path | None,
) -> None:
    """Prints a row for each case as soon as it is measured, and plots all cases.

    Args:
      networks: cases of each of which one field is varied at a time.
      values: values of each field in `AXES`.
      repeats: number of timed steps.
      limit: memory limit in GiB; programs that need more are not run.
      plot_path: PNG or SVG file, or None for no plot.
    """
    if plot_path is not None:
        check_plot_path(plot_path)
    base = networks[0]
    print(f"{jax.devices()[0].device_kind}, {base.precision}; unless varied: {_base(base)}")
    header = ["processor", f"{'varied':14}", "value", "steps", "ms / step", "µs / trace and step", "GiB"]
    print(Table(header, []).as_text(), flush=True)
    measured: dict[Case, Cost] = {}
    lines: dict[str, dict[str, dict[int, float]]] = {}
    combinations = [
        (network, axis, value)
        for network, axis in itertools.product(networks, AXES)
        for value in values[axis]
    ]
    for network, axis, value in ProgressBar(combinations, "measuring", leave=False):
        case = dataclasses.replace(network, **{axis: value})
        if case not in measured:
            measured[case] = measure(case, repeats, limit)
        cost = measured[case]
        ProgressBar.write(row(axis, value, case, cost))
        if cost.seconds is not None:
            lines.setdefault(AXES[axis], {}).setdefault(case.label, {})[value] = 1e3 * cost.seconds
    if plot_path is not None and not draw_scaling(lines, "ms per training step", plot_path):
        print("no plot: matplotlib is not installed (extra `plots`), or failed; see the warning")
    elif plot_path is not None:
        print(f"plot: {plot_path}")


def _base(case: Case) -> str:
    return ", ".join(f"{label} {getattr(case, axis)}" for axis, label in AXES.items())


def row(axis: str, value: int, case: Case, cost: Cost) -> str:
    """Formats a row of the table."""
    first = f"{case.label:9}  {AXES[axis]:14}  {value:5}  {cost.num_steps:5}"
    if cost.seconds is None:
        return f"{first}  exceeds the memory limit: {cost.gibibytes:.1f} GiB"
    seconds_per_trace_step = cost.seconds / (case.batch_size * case.num_seeds * cost.num_steps)
    return f"{first}  {1e3 * cost.seconds:9.0f}  {1e6 * seconds_per_trace_step:19.0f}  {cost.gibibytes:.2f}"


def measure(case: Case, repeats: int, limit: float) -> Cost:
    """Compiles a step, and runs it unless it needs more than `limit` GiB."""
    components = build_graph_run(_config(case))
    batch = components.stream.batch(0)
    # The longest trace of all seeds, which run in lockstep.
    num_steps = max(int(batch.lengths.max()) - 1, 1)
    state = new_state(components, 0)
    on_devices = components.devices.put_batch(batch, components.stream.num_leading_axes)
    step = components.make_train_step()
    program = jax.jit(lambda state, batch: step(state, batch, case.algorithm), donate_argnums=0)
    compiled = program.lower(state, on_devices).compile()
    gibibytes = program_bytes(compiled) / GIB
    if gibibytes > limit:
        return Cost(num_steps, gibibytes, None)
    seconds = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        state, _ = jax.block_until_ready(compiled(state, on_devices))
        seconds.append(time.perf_counter() - start)
    return Cost(num_steps, gibibytes, statistics.median(seconds[1:]))


def _config(case: Case) -> RunConfig:
    model = ModelConfig(
        processor=case.processor,
        hidden_size=case.hidden_size,
        precision=case.precision,
        execution=case.execution,
        pairs=case.pairs,
    )
    data = DataConfig(sizes=(case.size,))
    if case.p is not None:
        data = dataclasses.replace(data, problem={**data.problem, "p": (case.p,)})
    return RunConfig(
        algorithms=(case.algorithm,),
        data=data,
        model=model,
        training=TrainingConfig(batch_size=case.batch_size, num_seeds=case.num_seeds),
    )
