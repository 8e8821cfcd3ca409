"""Cost of a training step as a function of problem size, batch size, hidden size and number of seeds."""

import dataclasses
import itertools
import pathlib
import statistics
import time
from collections.abc import Mapping, Sequence

import jax
from tqdm import tqdm

from experiments.benchmarks.memory import GIB, program_bytes
from nar.reports import Table, check_plot_path, draw_scaling
from nar.runs.build import new_state
from nar.runs.components import build_graph_run
from nar.runs.config import DataConfig, ModelConfig, RunConfig, TrainingConfig

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


def scaling(
    base_case: Case,
    values: Mapping[str, Sequence[int]],
    processors: Sequence[str],
    repeats: int,
    limit: float,
    plot_path: pathlib.Path | None,
) -> None:
    """Prints a row for each case as soon as it is measured, and plots all cases.

    Args:
      base_case: case of which one field is varied at a time.
      values: values of each field in `AXES`.
      processors: names of processors.
      repeats: number of timed steps.
      limit: memory limit in GiB; programs that need more are not run.
      plot_path: PNG or SVG file, or None for no plot.
    """
    if plot_path is not None:
        check_plot_path(plot_path)
    print(f"{jax.devices()[0].device_kind}, {base_case.precision}; unless varied: {_base(base_case)}")
    header = ["processor", f"{'varied':14}", "value", "steps", "ms / step", "µs / trace and step", "GiB"]
    print(Table(header, []).as_text(), flush=True)
    measured: dict[Case, Cost] = {}
    lines: dict[str, dict[str, dict[int, float]]] = {}
    combinations = [
        (processor, axis, value)
        for processor, axis in itertools.product(processors, AXES)
        for value in values[axis]
    ]
    for processor, axis, value in tqdm(combinations, "measuring", leave=False):
        case = dataclasses.replace(base_case, processor=processor, **{axis: value})
        if case not in measured:
            measured[case] = measure(case, repeats, limit)
        cost = measured[case]
        tqdm.write(row(processor, axis, value, case, cost))
        if cost.seconds is not None:
            lines.setdefault(AXES[axis], {}).setdefault(processor, {})[value] = 1e3 * cost.seconds
    if plot_path is not None and not draw_scaling(lines, "ms per training step", plot_path):
        print("no plot: matplotlib is not installed (extra `plots`), or failed; see the warning")
    elif plot_path is not None:
        print(f"plot: {plot_path}")


def _base(case: Case) -> str:
    return ", ".join(f"{label} {getattr(case, axis)}" for axis, label in AXES.items())


def row(processor: str, axis: str, value: int, case: Case, cost: Cost) -> str:
    """Formats a row of the table."""
    first = f"{processor:9}  {AXES[axis]:14}  {value:5}  {cost.num_steps:5}"
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
    return RunConfig(
        algorithms=(case.algorithm,),
        data=DataConfig(sizes=(case.size,)),
        model=ModelConfig(processor=case.processor, hidden_size=case.hidden_size, precision=case.precision),
        training=TrainingConfig(batch_size=case.batch_size, num_seeds=case.num_seeds),
    )
