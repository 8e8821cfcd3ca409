"""Peak memory of training steps and evaluations, as reported by the compiler and by the operating system.

    python -m experiments.benchmark memory
    python -m experiments.benchmark memory --sizes=16 --grad_accumulation_steps=4 --run=

Prints a table of the memory of a training step and of an evaluation, in float32 and bfloat16, with and
without `model.remat`: the memory of the compiled program for arguments, outputs and temporaries; the
residuals that the forward pass of training keeps for the gradient in the traced program (the CPU compiler
may use float32 in place of bfloat16); and for the sizes of --run the peak resident set size of a fresh
process that compiles and runs it. Programs that need more than 16 GiB are marked by a star and never run.
"""

import dataclasses
import itertools
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
from absl import flags

from experiments.benchmarks.lib.benchmark_flags import (
    define_algorithms,
    define_count,
    define_numbers,
    define_processors,
    define_sizes,
)
from experiments.benchmarks.lib.peak_memory import print_resident_bytes, run_code
from nar.algorithms import find_algorithm
from nar.data import Task, TrainingStream
from nar.losses import losses_by_probe, total_loss
from nar.model import NetConfig, Params, Values, make_model
from nar.processors import find_processor
from nar.reports import Table
from nar.traces import TraceBatch
from nar.training import Devices, init_state, make_optimizer, make_train_step
from nar.training.train_step import check_grad_accumulation_steps

FLAGS = flags.FlagValues()
_ALGORITHMS = define_algorithms(FLAGS, ["bfs"])
_SIZES = define_sizes(FLAGS, 16, 64, 128, 256)
_PROCESSORS = define_processors(FLAGS)
_BATCH_SIZE = define_count(FLAGS, "batch_size", 32, "Batch size.")
_GRAD_ACCUMULATION_STEPS = define_count(
    FLAGS, "grad_accumulation_steps", 1, "Gradient-accumulation steps in training."
)
_RUN = define_numbers(FLAGS, "run", [16], "Sizes at which programs are not only compiled, but run.")

TRAINING, EVALUATION = "training", "evaluation"

MODES = (
    (TRAINING, "float32", False),
    (TRAINING, "float32", True),
    (TRAINING, "bfloat16", False),
    (TRAINING, "bfloat16", True),
    (EVALUATION, "float32", False),
    (EVALUATION, "bfloat16", False),
)
"""Training or evaluation, precision, and whether steps are rematerialized."""

GIB = 2**30
MEMORY_LIMIT = 16 * GIB
"""Programs that need more are marked, and not run."""


def main() -> None:
    """Benchmarks memory by size, processor, precision and rematerialization."""
    for name in _ALGORITHMS.value:
        for size in _SIZES.value:
            find_algorithm(name).problem.resolve_options(size, {})
    batch_size, num_microbatches = _BATCH_SIZE.value, _GRAD_ACCUMULATION_STEPS.value
    check_grad_accumulation_steps(batch_size, num_microbatches)
    names, sizes, processors = _ALGORITHMS.value, _SIZES.value, _PROCESSORS.value
    print(memory(names, sizes, processors, batch_size, num_microbatches, _RUN.value))


class Case(NamedTuple):
    """A program to measure; default sizes are those of the default recipe."""

    algorithm: str
    size: int
    processor: str
    mode: str = TRAINING
    precision: str = "float32"
    remat: bool = False
    batch_size: int = 32
    hidden_size: int = 128
    num_microbatches: int = 1


class BenchmarkProgram:
    """Network and batch of a case; nothing is compiled, and parameters are not allocated."""

    def __init__(self, case: Case) -> None:
        self._case = case
        self._task = Task(find_algorithm(case.algorithm), (case.size,))
        self._batch = TrainingStream((self._task,), case.batch_size, seed=0).batch(0)
        config = NetConfig(
            find_processor(case.processor), case.hidden_size, precision=case.precision, remat=case.remat
        )
        self._model = make_model(config, {self._task.name: self._task.spec})
        self._optimizer = make_optimizer(1e-3, 1.0)

    def make_state(self) -> Any:
        """Makes the train state, or the parameters for evaluation."""
        state = init_state(self._model, self._optimizer, {self._task.name: self._batch}, 0)
        return state if self._case.mode == TRAINING else state.params

    def batch(self) -> TraceBatch:
        """Puts the batch on the device; in evaluation it has only the first hints and no outputs."""
        batch = self._batch
        if self._case.mode == EVALUATION:
            first_hints = {name: value[:1] for name, value in batch.hints.items()}
            batch = dataclasses.replace(batch, hints=first_hints, outputs={})
        return Devices.all().put_batch(batch)

    def compiled(self) -> jax.stages.Compiled:
        """Compiles the training step or the evaluation."""
        shapes = jax.eval_shape(self.make_state)
        if self._case.mode == TRAINING:
            step = make_train_step(self._model, self._optimizer, num_microbatches=self._case.num_microbatches)
            program = jax.jit(lambda state, batch: step(state, batch, self._task.name), donate_argnums=0)
        else:
            program = jax.jit(self._predict)
        return program.lower(shapes, self.batch()).compile()

    def _predict(self, params: Params, batch: TraceBatch) -> Values:
        num_steps = max(1, self._batch.num_steps - 1)
        return self._model.apply(params, None, self._task.name, batch, False, num_steps).outputs

    def residual_shapes(self) -> Any:
        """Shapes of the residuals that the forward pass of training keeps for the backward pass."""

        def loss(params: Params) -> jax.Array:
            predictions = self._model.apply(params, jax.random.key(0), self._task.name, self._batch, True)
            return total_loss(losses_by_probe(self._task.spec, self._batch, predictions))

        params = jax.eval_shape(self.make_state).params
        return jax.eval_shape(lambda params: jax.vjp(loss, params)[1], params)


def case_program_bytes(case: Case) -> int:
    """Memory of the compiled program of a case."""
    return program_bytes(BenchmarkProgram(case).compiled())


def program_bytes(compiled: jax.stages.Compiled) -> int:
    """Memory of a compiled program: arguments, outputs and temporaries.

    Raises:
      ValueError: if the compiler of this platform does not report memory.
    """
    analysis = compiled.memory_analysis()
    if analysis is None:
        raise ValueError("the compiler of this platform does not report the memory of a program")
    total = analysis.argument_size_in_bytes + analysis.output_size_in_bytes + analysis.temp_size_in_bytes
    return total - analysis.alias_size_in_bytes


def residual_bytes(case: Case) -> int:
    """Memory of the residuals of a training step in the traced program, before compilation."""
    leaves = jax.tree.leaves(BenchmarkProgram(case).residual_shapes())
    return sum(math.prod(leaf.shape) * leaf.dtype.itemsize for leaf in leaves)


def run(case: Case) -> None:
    """Runs the program once, and prints the peak resident set size of this process in bytes."""
    subject = BenchmarkProgram(case)
    compiled = subject.compiled()
    jax.block_until_ready(compiled(jax.jit(subject.make_state)(), subject.batch()))
    print_resident_bytes()


def resident_bytes(case: Case) -> int:
    """Peak resident set size of a fresh process that compiles and runs a case."""
    fields = ", ".join(f"{value!r}" for value in case)
    code = f"from experiments.benchmarks.memory import Case, run; run(Case({fields}))"
    return int(run_code(code)[-1])


def memory(
    algorithms: Sequence[str],
    sizes: Sequence[int],
    processors: Sequence[str],
    batch_size: int,
    num_microbatches: int,
    run_sizes: Sequence[int],
) -> str:
    """Returns a table in GiB, with a row per mode and a column per size, and prints a line per finished case.

    Args:
      algorithms: names of algorithms; the number of steps is that of the sampled batch.
      sizes: problem sizes.
      processors: names of processors.
      batch_size: batch size.
      num_microbatches: number of micro-batches in training.
      run_sizes: sizes at which each case is also run, in a fresh process.
    """
    rows = []
    combinations = list(itertools.product(algorithms, processors, MODES))
    for number, (algorithm, processor, mode) in enumerate(combinations):
        cases = [
            Case(algorithm, size, processor, *mode, batch_size, num_microbatches=num_microbatches)
            for size in sizes
        ]
        cells = []
        for case in cases:
            cells.append(_cell(case, case.size in run_sizes))
            done = f"{number * len(sizes) + len(cells)}/{len(combinations) * len(sizes)}"
            print(f"{done} {_name(case)}, n = {case.size}: {cells[-1]}", flush=True)
        rows.append([_name(cases[0]), *cells])
    header = [f"GiB at batch size {batch_size}", *(f"n = {size}" for size in sizes)]
    return Table(header, rows).as_text()


def _cell(case: Case, is_run: bool) -> str:
    needed = case_program_bytes(case)
    texts = [f"{needed / GIB:.2f}" + (" *" if needed > MEMORY_LIMIT else "")]
    if case.mode == TRAINING and case.num_microbatches == 1:
        texts.append(f"residuals {residual_bytes(case) / GIB:.2f}")
    if is_run and needed <= MEMORY_LIMIT:
        texts.append(f"process {resident_bytes(case) / GIB:.2f}")
    return ", ".join(texts)


def _name(case: Case) -> str:
    words = [case.algorithm, case.processor, case.mode, case.precision, *(["remat"] if case.remat else [])]
    return ", ".join(words)
