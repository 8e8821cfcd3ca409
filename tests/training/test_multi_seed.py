"""Training several seeds as one program: each seed's results equal those of its own run."""

import contextlib
import dataclasses
import functools
import json

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import nar
from configs import tiny
from nar import ALGORITHMS
from nar.atomic_io import read_json
from nar.data import MultiSeedStream, Task, TrainingStream
from nar.evaluation import mean_and_deviation
from nar.model import NetConfig, make_model
from nar.processors import MPNN
from nar.reports import result_summary
from nar.runs.components import build_graph_run
from nar.runs.workdir import Workdir
from nar.training import Devices, init_state, make_train_step
from nar.training.loop import BackgroundCompilation, Compilations, prepare_batch
from nar.training.loop.background_compilation import shapes_of
from nar.training.train_step import loop_seeds, stack_seeds, unstack_seeds, vmap_seeds

DEVICES = Devices.one()
SEEDS = (3, 4)
TASKS = tuple(Task(ALGORITHMS[name], (4,)) for name in ("quickselect", "bfs"))


def stream_of(seed, chunk_length, tasks=TASKS):
    return TrainingStream(tasks, 4, seed, chunk_length=chunk_length)


class Network:
    """A small network, with train states of one or several seeds."""

    def __init__(self, chunk_length, tasks=TASKS, hint_mode="encoded_decoded", **options):
        self.chunk_length = chunk_length
        specs = {task.name: task.spec for task in tasks}
        config = NetConfig(MPNN, hidden_size=4, teacher_forcing=0.3, hint_mode=hint_mode)
        self.model = make_model(config, specs)
        # Not Adam, which divides by tiny gradients and so amplifies rounding errors.
        self.optimizer = optax.chain(optax.clip_by_global_norm(1.0), optax.sgd(0.1, momentum=0.9))
        self.make_train_step = functools.partial(
            make_train_step, self.model, self.optimizer, ema_decay=0.5, **options
        )

    def state(self, stream, seed):
        examples = stream.examples(), stream.chunk_examples()
        return DEVICES.make_state(
            lambda: init_state(self.model, self.optimizer, examples[0], seed, True, examples[1])
        )

    def trained(self, stream, seed, step, num_steps):
        state, rows = self.state(stream, seed), []
        for index in range(num_steps):
            batch = DEVICES.put_batch(stream.batch(index), stream.num_leading_axes)
            state, metrics = step(state, batch, stream.task(index).name, stream.stream_key(index))
            rows.append(metrics)
        return state, rows


@pytest.mark.parametrize(
    ("chunk_length", "options", "map_over_seeds", "tasks"),
    [
        (0, {"hint_mode": "none"}, loop_seeds, TASKS[1:]),
        pytest.param(0, {}, vmap_seeds, TASKS, marks=pytest.mark.slow),
        pytest.param(3, {"num_microbatches": 2}, vmap_seeds, TASKS, marks=pytest.mark.slow),
    ],
)
def test_each_seed_equals_its_own_run(chunk_length, options, map_over_seeds, tasks):
    network = Network(chunk_length, tasks, **options)
    streams = [stream_of(seed, chunk_length, tasks) for seed in SEEDS]
    stacked, rows = network.trained(
        MultiSeedStream(streams), SEEDS, network.make_train_step(map_over_seeds=map_over_seeds), num_steps=4
    )
    assert stacked.step.shape == () and int(stacked.step) == 4
    step = network.make_train_step()
    states = unstack_seeds(dataclasses.replace(stacked, step=None), len(SEEDS))
    for index, (seed, stream) in enumerate(zip(SEEDS, streams, strict=True)):
        expected, expected_rows = network.trained(stream, seed, step, num_steps=4)
        for name in ("params", "opt_state", "ema_params", "chunk_carries"):
            one, other = getattr(states[index], name), getattr(expected, name)
            jax.tree.map(functools.partial(np.testing.assert_allclose, rtol=2e-4, atol=2e-5), one, other)
        assert (jax.random.key_data(states[index].key) == jax.random.key_data(expected.key)).all()
        for row, expected_row in zip(rows, expected_rows, strict=True):
            assert set(row) == set(expected_row)
            for name, value in expected_row.items():
                np.testing.assert_allclose(row[name][index], value, rtol=2e-4, atol=1e-5, err_msg=name)
    assert not np.allclose(*(jax.tree.leaves(state.params)[0] for state in states[:2]))


@pytest.mark.slow
@pytest.mark.parametrize("map_over_seeds", [vmap_seeds, loop_seeds])
def test_steps_after_the_longest_trace_are_skipped(map_over_seeds):
    """Under `vmap` the seeds share the condition of `cond`, which would otherwise become a `select`."""
    network = Network(0, TASKS[:1], hint_mode="none")
    stream = MultiSeedStream([stream_of(seed, 0, TASKS[:1]) for seed in SEEDS])
    state = network.state(stream, SEEDS)
    traced = jax.make_jaxpr(network.make_train_step(map_over_seeds=map_over_seeds), static_argnums=2)(
        state, stream.batch(0), "quickselect"
    )
    assert " cond[" in str(traced)


@pytest.mark.slow
@pytest.mark.parametrize("map_over_seeds", [vmap_seeds, pytest.param(loop_seeds, marks=pytest.mark.slow)])
def test_non_finite_seed_does_not_affect_the_others(map_over_seeds):
    network = Network(0, TASKS[:1], hint_mode="none")
    stream = MultiSeedStream([stream_of(seed, 0, TASKS[:1]) for seed in SEEDS])
    step = network.make_train_step(map_over_seeds=map_over_seeds)
    state = network.state(stream, SEEDS)
    before = jax.tree.map(np.array, state.params)
    batch = stream.batch(0)
    batch.inputs["key"][1] = np.nan
    state, metrics = step(state, DEVICES.put_batch(batch, 1), "quickselect")
    assert metrics["skipped"].tolist() == [0, 1]
    changed = jax.tree.map(lambda x, y: (x != y).reshape(len(SEEDS), -1).any(axis=1), before, state.params)
    assert np.any(jax.tree.leaves(changed), axis=0).tolist() == [True, False]


def test_multi_seed_batches_stack_those_of_each_seed():
    streams = [stream_of(seed, 0) for seed in SEEDS]
    multi_seed = MultiSeedStream(streams)
    assert multi_seed.num_examples(5) == 20
    for step in range(6):
        batch = multi_seed.batch(step)
        for index, stream in enumerate(streams):
            expected = stream.batch(step)
            np.testing.assert_array_equal(batch.lengths[index], expected.lengths)
            for name, value in expected.hints.items():
                np.testing.assert_array_equal(batch.hints[name][index][: len(value)], value)
                assert not batch.hints[name][index][len(value) :].any()


def test_unstack_inverts_stack():
    trees = [{"a": jnp.arange(3) + k, "b": (jnp.float32(k),)} for k in range(4)]
    for one, other in zip(unstack_seeds(stack_seeds(trees), 4), trees, strict=True):
        jax.tree.map(np.testing.assert_array_equal, one, other)


def test_mean_and_deviation_of_nested_scores():
    means, deviations = mean_and_deviation([{"b": {"x": 1.0}, "a": 2.0}, {"b": {"x": 3.0}, "a": 2.0}])
    assert list(means) == ["b", "a"]
    assert means == {"b": {"x": 2.0}, "a": 2.0}
    assert deviations == {"b": {"x": pytest.approx(2**0.5)}, "a": 0.0}


# ---------------------------------------------------------------------------------------------------
# Whole runs


def config_of(**training):
    config = tiny.get_config()
    config.model.hidden_size = 4
    config.training.update({"steps": 24, "eval_every": 6, "log_every": 3, **training})
    return config.to_dict()


def validations(workdir):
    """Lines of the metrics file with validation scores."""
    lines = [json.loads(line) for line in workdir.metrics.read_text().splitlines()]
    return [line for line in lines if "validation/score" in line]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    workdir = Workdir(tmp_path_factory.mktemp("runs") / "num_seeds")
    nar.train(config_of(num_seeds=2, seed=7), workdir)
    return workdir


@pytest.mark.slow
def test_multi_seed_run_reports_means_and_deviations(finished, tmp_path):
    result = read_json(finished.result)
    assert [one["seed"] for one in result["seeds"]] == [7, 8]
    for index, seed_result in enumerate(result["seeds"]):
        workdir = Workdir(tmp_path / str(index))
        nar.train(config_of(seed=7 + index), workdir)
        expected = read_json(workdir.result)
        assert seed_result["best_step"] == expected["best_step"]
        for split_name in ("validation", "test"):
            for size, scores in expected["scores"][split_name]["bfs"].items():
                assert seed_result["scores"][split_name]["bfs"][size] == pytest.approx(scores, abs=2e-3)
        for line, expected_line in zip(validations(finished), validations(workdir), strict=True):
            score = line[f"validation/score/seed_index_{index}"]
            assert score == pytest.approx(expected_line["validation/score"], abs=2e-3)
        assert expected["parameters"] == result["parameters"]
        state, expected_state = (
            nar.load_run(finished.path, "best", index).state,
            nar.load_run(workdir.path, "best").state,
        )
        assert int(state.step) == int(expected_state.step)
        jax.tree.map(
            functools.partial(np.testing.assert_allclose, atol=0.02),
            state.eval_params,
            expected_state.eval_params,
        )
    test_scores = [one["scores"]["test"]["bfs"]["64"]["score"] for one in result["seeds"]]
    assert result["scores"]["test"]["bfs"]["64"]["score"] == pytest.approx(np.mean(test_scores))
    deviation = result["deviations"]["scores"]["test"]["bfs"]["64"]["score"]
    assert deviation == pytest.approx(np.std(test_scores, ddof=1))
    text = result_summary(result)
    assert f"{np.mean(test_scores):.2%} ± {deviation:.2%}" in text
    assert "of 2 seeds" in text and "(seed 8)" in text


@pytest.mark.slow
def test_multi_seed_run_resumes_bit_for_bit(finished, tmp_path):
    workdir = Workdir(tmp_path / "run")
    nar.train(config_of(num_seeds=2, seed=7, steps=10), workdir)
    nar.train(config_of(num_seeds=2, seed=7), workdir)
    assert read_json(workdir.result)["parameters_sha256"] == read_json(finished.result)["parameters_sha256"]
    with pytest.raises(ValueError, match="seed_index must lie between 0 and 1 for .*, got 2"):
        nar.load_run(workdir.path, seed_index=2)


def same_weights(scores, step):
    return dict.fromkeys(scores, 1.0)


@pytest.mark.parametrize(
    ("training", "message"),
    [
        ({"num_seeds": 0}, "training.num_seeds must be an integer of at least 1, got 0"),
        (
            {"num_seeds": 2, "task_sampling": f"{__name__}:same_weights"},
            "depends on scores, which differ between seeds",
        ),
    ],
)
def test_invalid_num_seeds_are_errors(training, message):
    with pytest.raises(ValueError, match=message):
        build_graph_run(config_of(**training))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("seeds", "chunk_length"),
    [
        (SEEDS[:1], 3),
        pytest.param(SEEDS, 0, marks=pytest.mark.slow),
        pytest.param(SEEDS[:1], 0, marks=pytest.mark.slow),
        pytest.param(SEEDS, 3, marks=pytest.mark.slow),
    ],
)
def test_programs_compiled_in_the_background_are_reused(seeds, chunk_length):
    network = Network(chunk_length, hint_mode="none")
    stream = MultiSeedStream([stream_of(seed, chunk_length) for seed in seeds])
    if len(seeds) == 1:
        stream = stream_of(*seeds, chunk_length)
    state = network.state(stream, seeds if len(seeds) > 1 else seeds[0])
    step = network.make_train_step(map_over_seeds=loop_seeds if len(seeds) > 1 else None)
    with contextlib.closing(Compilations()) as compilations:
        with BackgroundCompilation(step, shapes_of(state)) as background_compilation:
            for _ in range(2):  # The second time, nothing is compiled.
                device_batch = prepare_batch(stream, DEVICES, [background_compilation], 0, stream.batch(0))
                device_batch.wait()
        assert compilations.programs == {"update_state": 1, "compute_gradients": 1}
        assert compilations.seconds > compilations.main_thread_seconds == 0
        step(state, device_batch.batch, "quickselect", stream.stream_key(0))
    assert compilations.programs == {"update_state": 1, "compute_gradients": 1}
