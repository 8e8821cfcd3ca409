"""Peak memory of a training step and of an evaluation, by the compiler and as a process has it."""

import dataclasses
import itertools
import math
import pathlib
import subprocess
import sys
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax

from experiments.benchmarks.lib.peak_memory import print_resident_bytes
from nar.algorithms import find_algorithm
from nar.data import Task, TrainingStream
from nar.losses import losses_by_probe, total_loss
from nar.model import NetConfig, Params, Values, make_model
from nar.processors import find_processor
from nar.reports import format_table
from nar.traces import TraceBatch
from nar.training import Devices, init_state, make_optimizer, make_train_step

TRAINING, EVALUATION = "training", "evaluation"

KINDS = (
    (TRAINING, "float32", False),
    (TRAINING, "float32", True),
    (TRAINING, "bfloat16", False),
    (TRAINING, "bfloat16", True),
    (EVALUATION, "float32", False),
    (EVALUATION, "bfloat16", False),
)
"""What is done, in which precision, and whether gradients compute steps anew."""

GIB = 2**30
LARGEST = 16 * GIB
"""Memory of a usual machine; what needs more is marked."""


class Case(NamedTuple):
    """What is measured; sizes are those of the default recipe where they are not said."""

    algorithm: str
    size: int
    processor: str
    what: str = TRAINING
    precision: str = "float32"
    remat: bool = False
    batch_size: int = 32
    hidden_size: int = 128
    num_microbatches: int = 1


class Subject:
    """The network of a case with a batch; nothing is compiled, and of parameters there are only shapes."""

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
        """The state of training, or the parameters for evaluation."""
        state = init_state(self._model, self._optimizer, {self._task.name: self._batch}, 0)
        return state if self._case.what == TRAINING else state.params

    def batch(self) -> TraceBatch:
        """What the program is given, on the device: in evaluation no more than the first hints."""
        batch = self._batch
        if self._case.what == EVALUATION:
            first = {name: value[:1] for name, value in batch.hints.items()}
            batch = dataclasses.replace(batch, hints=first, outputs={})
        return Devices.all().put_batch(batch)

    def compiled(self) -> jax.stages.Compiled:
        """The program of a training step or of an evaluation."""
        shapes = jax.eval_shape(self.make_state)
        if self._case.what == TRAINING:
            step = make_train_step(self._model, self._optimizer, num_microbatches=self._case.num_microbatches)
            program = jax.jit(lambda state, batch: step(state, batch, self._task.name), donate_argnums=0)
        else:
            program = jax.jit(self._predict)
        return program.lower(shapes, self.batch()).compile()

    def _predict(self, params: Params, batch: TraceBatch) -> Values:
        num_steps = max(1, self._batch.num_steps - 1)
        return self._model.apply(params, None, self._task.name, batch, False, num_steps).outputs

    def kept(self) -> Any:
        """Shapes of what the forward pass of training leaves for the backward pass."""

        def loss(params: Params) -> jax.Array:
            predictions = self._model.apply(params, jax.random.key(0), self._task.name, self._batch, True)
            return total_loss(losses_by_probe(self._task.spec, self._batch, predictions))

        params = jax.eval_shape(self.make_state).params
        return jax.eval_shape(lambda params: jax.vjp(loss, params)[1], params)


def compiled_bytes(case: Case) -> int:
    """What the compiled program of a case needs."""
    return needed_bytes(Subject(case).compiled())


def needed_bytes(compiled: jax.stages.Compiled) -> int:
    """What a compiled program needs: arguments, results and what it sets aside in between."""
    found = compiled.memory_analysis()
    if found is None:
        raise ValueError("the compiler of this platform does not say how much memory a program needs")
    needed = found.argument_size_in_bytes + found.output_size_in_bytes + found.temp_size_in_bytes
    return needed - found.alias_size_in_bytes


def kept_bytes(case: Case) -> int:
    """What a training step keeps for its gradient, as the program has it before it is compiled."""
    leaves = jax.tree.leaves(Subject(case).kept())
    return sum(math.prod(leaf.shape) * leaf.dtype.itemsize for leaf in leaves)


def run(case: Case) -> None:
    """Runs the program once, and prints the largest resident set that this process has had, in bytes."""
    subject = Subject(case)
    compiled = subject.compiled()
    jax.block_until_ready(compiled(jax.jit(subject.make_state)(), subject.batch()))
    print_resident_bytes()


def resident_bytes(case: Case) -> int:
    """The largest resident set of a fresh process that compiles and runs a case."""
    fields = ", ".join(f"{value!r}" for value in case)
    code = f"from experiments.benchmarks.memory import Case, run; run(Case({fields}))"
    root = pathlib.Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=root)
    return int(done.stdout.split()[-1])


def memory(
    algorithms: Sequence[str],
    sizes: Sequence[int],
    processors: Sequence[str],
    batch_size: int,
    num_microbatches: int,
    measured: Sequence[int],
) -> str:
    """A table in GiB, a row for each way of computing and a column for each size; a line a case meanwhile.

    Args:
      algorithms: by name; the batch of a size decides how many steps there are.
      sizes: of problems.
      processors: by name.
      batch_size: traces at once.
      num_microbatches: in how many parts a batch is taken in training.
      measured: sizes of which each case is run as well, in a process of its own.
    """
    rows = []
    ways = list(itertools.product(algorithms, processors, KINDS))
    for number, (algorithm, processor, kind) in enumerate(ways):
        cases = [
            Case(algorithm, size, processor, *kind, batch_size, num_microbatches=num_microbatches)
            for size in sizes
        ]
        cells = []
        for case in cases:
            cells.append(_cell(case, case.size in measured))
            done = f"{number * len(sizes) + len(cells)}/{len(ways) * len(sizes)}"
            print(f"{done} {_name(case)}, n = {case.size}: {cells[-1]}", flush=True)
        rows.append([_name(cases[0]), *cells])
    header = [f"GiB at batch size {batch_size}", *(f"n = {size}" for size in sizes)]
    return format_table(header, rows)


def _cell(case: Case, is_measured: bool) -> str:
    needed = compiled_bytes(case)
    texts = [f"{needed / GIB:.2f}" + (" *" if needed > LARGEST else "")]
    if case.what == TRAINING and case.num_microbatches == 1:
        texts.append(f"kept {kept_bytes(case) / GIB:.2f}")
    if is_measured and needed <= LARGEST:
        texts.append(f"process {resident_bytes(case) / GIB:.2f}")
    return ", ".join(texts)


def _name(case: Case) -> str:
    words = [case.algorithm, case.processor, case.what, case.precision, *(["remat"] if case.remat else [])]
    return ", ".join(words)
