"""Descriptions of a run before it is trained, for `--dry_run` and `--print_config` of `experiments.train`."""

import contextlib
import time
from collections.abc import Sequence

import jax
import numpy as np

from nar.runs.build import AnyConfig, build_run, check_startup, new_state
from nar.runs.components import RunComponents
from nar.runs.warm_start import load_init_run
from nar.training import Callback, StepReport, count_parameters, fit
from nar.training.loop import Compilations

TIMED_STEPS = 12
"""Steps that are taken for an estimate: with the default sizes, two or three of each."""


def config_lines(config: AnyConfig) -> str:
    """Every config key with its value, one a line; a comment gives the default of those that differ."""
    defaults = {key.path: key.value for key in type(config)().describe()}
    lines = []
    for key in config.describe():
        line, default = f"{key.path} = {key.value!r}", defaults.get(key.path, key.value)
        lines.append(line if key.value == default else f"{line}  # default: {default!r}")
    return "\n".join(lines)


def describe_run(config: AnyConfig, trust: bool = False) -> str:
    """Describes what a run would train, and estimates its time from a few steps; nothing is written.

    Raises:
      ValueError: if the config is invalid, or has plugins or a run to start from with which training would
        not start; `trust` is as for `nar.train`.
    """
    components = build_run(config)
    check_startup(config, components)
    load_init_run(config, components, trust)
    state = new_state(components, config.training.seed)
    parameters = count_parameters(components.unstack_seeds(state.params)[0])
    num_steps = min(TIMED_STEPS, config.training.steps)
    timer = _StepTimer()
    with contextlib.closing(timer):
        fit(state, components.make_train_step(), components.stream, [timer], num_steps=num_steps,
            devices=components.devices)  # fmt: skip
    return "\n".join(
        [
            *_contents(config, components, parameters),
            _estimate(timer.seconds, timer.compiling, config.training.steps),
            "It includes neither validation nor the final scores. Nothing was written.",
        ]
    )


def _contents(config: AnyConfig, components: RunComponents, parameters: int) -> list[str]:
    """Lines on the network, the data and the devices."""
    names = [task.name for task in components.tasks]
    seeds = f" for each of {components.num_seeds} seeds" if components.num_seeds > 1 else ""
    shown = ", ".join(names[:5]) + (f", ... ({len(names)} in all)" if len(names) > 5 else "")
    training = config.training
    return [
        f"Algorithms: {shown}",
        f"Parameters: {parameters:,}{seeds}",
        f"Steps: {training.steps:,}, validation every {training.eval_every:,}",
        f"Devices: {jax.device_count()} of {jax.devices()[0].device_kind}",
    ]


def _estimate(seconds: Sequence[float], compiling: float, num_steps: int) -> str:
    """The line on the time that all steps would take."""
    middle = float(np.median(seconds))
    total = compiling + middle * num_steps
    return (
        f"Estimate from {len(seconds)} steps: {1000 * middle:.3g} ms a step, {compiling:.0f} s of compiling, "
        f"{_duration(total)} for all steps."
    )


def _duration(seconds: float) -> str:
    """A duration in the unit that suits it."""
    for unit, size in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"about {seconds / size:.1f} {unit}"
    return f"about {seconds:.0f} seconds"


class _StepTimer(Callback):
    """Callback that measures each step without its compilation.

    Attributes:
      seconds: seconds of each step.
      compiling: seconds spent on compilation.
    """

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.compiling = 0.0
        self._compilations = Compilations()
        self._last = time.perf_counter()

    def close(self) -> None:
        """Stops counting compilations."""
        self._compilations.close()

    def on_step(self, report: StepReport) -> None:
        """Waits for the step."""
        jax.block_until_ready(report.metrics)
        now, compiled = time.perf_counter(), self._compilations.main_thread_seconds
        self.seconds.append(max(0.0, now - self._last - (compiled - self.compiling)))
        self._last, self.compiling = now, compiled
