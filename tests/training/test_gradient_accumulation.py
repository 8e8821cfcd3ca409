"""Gradient accumulation: loss, metrics and gradient equal those of the whole batch, in less memory."""

import functools
import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import nar
from nar.data import (
    AUTO_MICROBATCHES,
    Task,
    TrainingStream,
    count_microbatches,
    group_by_length,
    pad_nodes,
    take,
)
from nar.losses import LossTerm, masked_term, supervised, total_loss
from nar.model import Budget, Learned, NetConfig, make_model
from nar.model.params_by_task import flatten_tasks
from nar.processors import PROCESSORS
from nar.training import init_state, make_train_step
from nar.training.train_step import check_grad_accumulation_steps
from nar.training.train_step.gradient_accumulation import (
    MicroBatch,
    ObjectiveResult,
    accumulated_value_and_grad,
    join,
    split,
)
from nar.training.train_step.objective_gradients import evaluate_objective

BATCH = 6
SGD = optax.sgd(1.0)


class Case:
    """A network and a batch of traces of different lengths."""

    def __init__(self, task, processor="mpnn", batch_size=BATCH, size=5, **options):
        self.task = Task(nar.ALGORITHMS[task], (size,))
        self.batch = TrainingStream((self.task,), batch_size, seed=0).batch(0)
        self.objective = supervised
        self.model = make_model(NetConfig(PROCESSORS[processor], 8, **options), {task: self.task.spec})

    @functools.cached_property
    def state(self):
        make_state = functools.partial(init_state, self.model, SGD, {self.task.name: self.batch}, 0)
        return jax.jit(make_state)()

    def lowered(self, num_microbatches):
        step = make_train_step(self.model, SGD, self.objective, num_microbatches=num_microbatches)
        single_program = jax.jit(lambda state, batch: step(state, batch, self.task.name))
        return single_program.lower(self.state, self.batch)

    def step(self, num_microbatches):
        new, metrics = self.lowered(num_microbatches).compile()(self.state, self.batch)
        scalars = {name: float(value) for name, value in metrics.items() if value.ndim == 0}
        before, after = (flatten_tasks(params) for params in jax.device_get((self.state.params, new.params)))
        return jax.tree.map(np.subtract, before, after), scalars

    def counts(self, batch):
        """Number of entries of each loss."""
        evaluate = functools.partial(evaluate_objective, supervised, self.model, self.task.name)
        terms = jax.jit(evaluate)(self.state.params, MicroBatch(batch, jax.random.key(0), carry={})).terms
        return {name: int(term.count) for name, term in terms.items()}


def assert_same(actual, expected):
    gradients, scalars = actual
    assert expected[1] == pytest.approx(scalars, rel=1e-5, abs=1e-6)
    for module, leaves in expected[0].items():
        for name, leaf in leaves.items():
            np.testing.assert_allclose(gradients[module][name], leaf, rtol=1e-3, atol=1e-5, err_msg=module)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("processor", "options"),
    [("mpnn", {}), pytest.param("g_forgetnet", {"remat": True}, marks=pytest.mark.slow)],
)
def test_accumulated_gradient_equals_that_of_the_whole_batch(processor, options):
    """With plain SGD the change of the parameters is the gradient. The gate has an auxiliary loss.

    With an automatic number of micro-batches, traces are grouped by length, so micro-batches take different
    numbers of steps.
    """
    case = Case("bfs", processor, batch_size=32, size=16, **options)
    expected = case.step(1)
    if options:
        assert_same(case.step(4), expected)
    case.batch = group_by_length(case.batch, AUTO_MICROBATCHES)
    assert count_microbatches(case.batch, AUTO_MICROBATCHES) == 4
    assert_same(case.step(AUTO_MICROBATCHES), expected)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("task", "options"),
    [
        ("bridges", {"processor": "g_forgetnet", "termination": Learned()}),
        ("quickselect", {"hint_mode": "none", "termination": Budget(steps=4)}),
        ("dfs", {"reconstruction_weight": 0.1}),
    ],
)
def test_gradient_is_exact_for_other_networks(task, options):
    case = Case(task, **options)
    assert_same(case.step(3), case.step(1))


@pytest.mark.slow
def test_microbatches_of_the_tests_differ_in_their_numbers_of_entries():
    """Otherwise a plain mean over micro-batches would pass the tests, too."""
    case = Case("bfs", "g_forgetnet")
    counts = [case.counts(take(case.batch, slice(index, None, 3))) for index in range(3)]
    assert len({count["pi_h"] for count in counts}) > 1
    assert len({count["auxiliary/gate"] for count in counts}) > 1
    for name, count in case.counts(case.batch).items():
        assert sum(part[name] for part in counts) == count, name


@pytest.mark.slow
def test_padding_nodes_do_not_count_as_entries():
    case = Case("bfs")
    padded = pad_nodes(case.batch, case.task.spec, 8)
    assert case.counts(padded) == case.counts(case.batch)


def test_each_microbatch_has_its_own_traces_carry_and_key():
    """The new carry is in the order of the batch; a loss of n entries has the weight n."""
    case = Case("bfs")
    numbers = jnp.arange(BATCH)

    def evaluate(params, microbatch):
        lengths = microbatch.batch.lengths
        terms = {
            "pi": LossTerm(params * microbatch.carry.sum(), len(lengths)),
            "any": LossTerm(params * lengths.sum(), lengths.sum()),
        }
        noise = jax.random.uniform(microbatch.key)
        metrics = {"noise": LossTerm(noise, 1), "lengths": LossTerm(lengths @ microbatch.carry, 1)}
        return ObjectiveResult(terms, metrics, microbatch.carry + 100)

    key = jax.random.key(0)
    result, gradient = jax.jit(
        lambda params: accumulated_value_and_grad(
            evaluate, total_loss, params, MicroBatch(case.batch, key, carry=numbers), 3
        )
    )(2.0)
    np.testing.assert_array_equal(result.carry, numbers + 100)
    assert 3 * result.metrics["lengths"] == case.batch.lengths @ np.arange(BATCH)
    assert float(gradient) == pytest.approx(2.5 + 1) and float(result.loss) == pytest.approx(7)
    assert {name: float(loss) for name, loss in result.losses.items()} == {"pi": 5, "any": 2}
    noise = [float(jax.random.uniform(jax.random.fold_in(key, index))) for index in range(3)]
    assert float(result.metrics["noise"]) == pytest.approx(np.mean(noise)) and len(set(noise)) == 3


def own_objective(model, params, key, batch, context):
    """The supervised loss, and a term whose number of entries differs between micro-batches."""
    hidden = context.predict(model, params, key, return_hidden=True).hidden
    steps = jnp.arange(1, len(hidden) + 1)[:, None] < batch.lengths[None]
    squares = jnp.square(hidden).mean(axis=(-2, -1))
    return {**supervised(model, params, key, batch, context), "hidden": masked_term(squares, steps)}


def counts_of_parameters(model, params, key, batch, context):
    """A loss whose number of entries depends on the parameters; no gradient flows through it."""
    logits = context.predict(model, params, key).outputs["pi"]
    return {"positive": masked_term(logits, logits > 0)}


@pytest.mark.slow
@pytest.mark.parametrize("objective", [own_objective, counts_of_parameters])
def test_custom_objectives_accumulate(objective):
    case = Case("bfs")
    case.objective = objective
    gradients, scalars = case.step(3)
    assert_same((gradients, scalars), case.step(1))
    assert {f"loss/bfs/{name}" for name in ("hidden", "positive")} & set(scalars)


@pytest.mark.slow
@pytest.mark.parametrize("options", [{}, {"termination": Learned(Budget(4, 0))}])
def test_counts_cost_no_second_forward_pass(options):
    """The objective is traced once; micro-batches need no matrix products that the whole batch does not."""
    case, traces = Case("bfs", **options), []

    def objective(*arguments):
        traces.append(arguments)
        return supervised(*arguments)

    case.objective = objective
    num_products = [case.lowered(number).as_text().count("dot_general") for number in (1, 3)]
    assert len(traces) == 2
    assert num_products[0] == num_products[1] > 0


def test_join_inverts_split():
    rows = np.arange(12).reshape(6, 2)
    microbatches = split(rows, 3)
    np.testing.assert_array_equal(microbatches[1], rows[1::3])
    np.testing.assert_array_equal(join(microbatches), rows)
    np.testing.assert_array_equal(split(rows.T, 3, axis=1)[2], rows.T[:, 2::3])


@pytest.mark.slow
def test_memory_is_that_of_one_microbatch():
    """Compares the temporary memory of the compiled programs, which is deterministic."""

    def memory(num_microbatches):
        return (
            Case("bfs", batch_size=16)
            .lowered(num_microbatches)
            .compile()
            .memory_analysis()
            .temp_size_in_bytes
        )

    assert memory(8) < memory(1) / 3


@pytest.mark.slow
def test_splitting_a_sharded_batch_needs_no_communication():
    code = """
import jax, numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from nar.training.train_step.gradient_accumulation import split
mesh = Mesh(np.array(jax.devices()), ("data",))
rows = jax.device_put(np.ones((8, 3), np.float32), NamedSharding(mesh, PartitionSpec("data")))
compiled = jax.jit(lambda rows: jax.lax.map(lambda part: part * 2, split(rows, 4))).lower(rows).compile()
print(*compiled.output_shardings.spec, [w for w in ("all-", "collective", "send") if w in compiled.as_text()])
"""
    environment = {**os.environ, "XLA_FLAGS": "--xla_force_host_platform_device_count=2"}
    result = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, env=environment, timeout=400
    )
    assert result.stdout.split() == ["None", "data", "[]"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((32, 5), "grad_accumulation_steps must divide the batch_size 32, got 5"),
        ((32, -1), "grad_accumulation_steps must be an integer of at least 1, or 0, got -1"),
        (
            (32, 8, 8),
            r"batch_size 32 with grad_accumulation_steps=8 gives micro-batches of 4, which .* the 8 devices",
        ),
    ],
)
def test_invalid_grad_accumulation_steps_are_errors(arguments, message):
    with pytest.raises(ValueError, match=message):
        check_grad_accumulation_steps(*arguments)
    check_grad_accumulation_steps(32, 4, 8)
