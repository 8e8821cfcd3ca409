"""Pure functions of a network: complete registries, initial parameters, compilations."""

import contextlib
import functools

import every_kind
import jax
import jax.numpy as jnp
import numpy as np
import oracle
import pytest
from networks import (
    HIDDEN,
    assert_close,
    batch_of,
    differ,
    spec_of,
)

import nar
from nar.data import Task, TrainingStream, Transforms
from nar.evaluation import SCORES
from nar.kinds import BUILT_IN_KINDS
from nar.losses import LOSS_MASKS, LOSSES
from nar.model import NetConfig, make_model
from nar.model import hints as values
from nar.model.decoders import DECODERS
from nar.model.dm_clrs import convert_parameters
from nar.model.encoders import ENCODER_CHANNELS
from nar.model.params_by_task import flatten_tasks
from nar.processors import MPNN, PGN, PROCESSORS
from nar.specs import Kind, Location, Stage
from nar.traces import clrs30_sample
from nar.training import Devices, TrainState, make_optimizer, make_train_step
from nar.training.loop import Compilations

slow = pytest.mark.slow
every_algorithm = pytest.mark.parametrize("algorithm", nar.ALGORITHMS)
each_kind = pytest.mark.parametrize("kind", BUILT_IN_KINDS)
# ---------------------------------------------------------------------------------------------------
# Registries


@each_kind
@pytest.mark.parametrize(
    "table",
    [values._DENSE, values._SOFT, values._HARD, LOSS_MASKS, LOSSES, SCORES],
    ids=range(6),
)
def test_every_registry_covers_every_kind(table, kind):
    assert kind in table


@pytest.mark.parametrize("table", [ENCODER_CHANNELS, DECODERS], ids=["ENCODER_CHANNELS", "DECODERS"])
def test_registries_cover_every_location_and_kind(table):
    assert set(every_kind.ALL_PROBE_TYPES) <= set(table)


@every_algorithm
def test_every_probe_has_an_encoder_and_decoder(algorithm):
    for probe in spec_of(algorithm).values():
        if probe.stage is not Stage.OUTPUT:
            assert (probe.location, probe.kind) in ENCODER_CHANNELS
        if probe.stage is not Stage.INPUT:
            assert (probe.location, probe.kind) in DECODERS


# ---------------------------------------------------------------------------------------------------
# Parameters


@slow
def test_initial_parameters_have_the_statistics_of_dm_clrs():
    """Over many keys: standard deviation and maximum of every weight, and the value of every bias."""
    task, processor, size, num_keys = "bellman_ford", "triplet_gmpnn", 5, 40
    sampler, spec = oracle.clrs.build_sampler(task, 2, length=size, seed=0)
    feedback = sampler.next()
    theirs = oracle.clrs.models.BaselineModel(
        spec=[spec],
        dummy_trajectory=[feedback],
        processor_factory=oracle.clrs.get_processor_factory(processor, use_ln=True, nb_triplet_fts=8),
        hidden_dim=HIDDEN,
        encode_hints=True,
        decode_hints=True,
        encoder_init="xavier_on_scalars",
    )
    keys = jax.random.split(jax.random.key(0), num_keys)

    def init_theirs(key):
        return theirs.net_fn.init(key, [feedback.features], True, -1, False, False)

    with oracle.relaxed():
        their_params = jax.jit(jax.vmap(init_theirs))(keys)
    our_spec = spec_of(task)
    model = make_model(NetConfig(PROCESSORS[processor], HIDDEN), {task: our_spec})
    batch = Transforms().apply(nar.ALGORITHMS[task], clrs30_sample(task, size, 2, 0))
    draws = [flatten_tasks(model.init(key, {task: batch})) for key in keys]
    ours = jax.tree.map(lambda *leaves: np.stack(leaves), *draws)
    expected = flatten_tasks(convert_parameters(their_params, processor, model.specs))
    assert jax.tree.map(np.shape, ours) == jax.tree.map(np.shape, expected)
    for module, leaves in expected.items():
        for leaf, value in leaves.items():
            our_value = np.asarray(ours[module][leaf])
            if leaf == "w":
                assert our_value.std() == pytest.approx(value.std(), rel=0.2), module
                assert np.abs(our_value).max() == pytest.approx(np.abs(value).max(), rel=0.2), module
            else:
                np.testing.assert_array_equal(our_value, value, err_msg=module)
    assert np.asarray(ours[f"{task}/encode/d_0"]["w"]).std() == pytest.approx(0.88 / HIDDEN**0.5, rel=0.1)


@functools.cache
def make_shared(*names):
    """A network for some tasks, and its `init` as a function of the seed."""
    model = make_model(NetConfig(MPNN, HIDDEN), {task: spec_of(task) for task in names})
    batches = {task: batch_of(task) for task in names}
    return model, functools.cache(lambda key: dict(model.init(jax.random.key(key), batches)))


def test_initial_parameters_do_not_depend_on_the_order_of_tasks():
    _, init = make_shared("bfs", "minimum")
    _, init_in_other_order = make_shared("minimum", "bfs")
    jax.tree.map(np.testing.assert_array_equal, init(0), init_in_other_order(0))
    assert set(init(0)) == {"bfs", "minimum", "processor"}


def test_initial_parameters_of_a_task_do_not_depend_on_other_tasks():
    (_, init), (_, init_single) = make_shared("bfs", "minimum"), make_shared("bfs")
    single = init_single(0)
    jax.tree.map(np.testing.assert_array_equal, {name: init(0)[name] for name in single}, single)
    weights = {name: leaves["w"] for name, leaves in flatten_tasks(single).items() if "w" in leaves}
    for name, leaves in flatten_tasks(init_single(1)).items():
        assert name not in weights or differ(leaves["w"], weights[name], 1e-3)


def test_tasks_with_similar_names_have_different_initial_parameters():
    names = ("sort_by_key", "sort_by_size")
    spec = every_kind.small_spec(Location.NODE, Kind.MASK)
    model = make_model(NetConfig(MPNN, HIDDEN), dict.fromkeys(names, spec))
    batches = dict.fromkeys(names, every_kind.random_batch(0, spec))
    params = model.init(jax.random.key(0), batches)
    first, second = (params[name]["decode/hint_node_mask/node"]["w"] for name in names)
    assert differ(first, second, 1e-2)


def test_no_task_has_the_name_of_the_shared_parameters():
    spec = nar.ALGORITHMS["bfs"].spec
    with pytest.raises(ValueError, match="no task can have the name 'processor'"):
        make_model(NetConfig(MPNN), {"bfs": spec, "processor": spec})


def test_predictions_of_a_task_do_not_depend_on_other_tasks():
    (multi, init), (single, init_single) = make_shared("bfs", "minimum"), make_shared("bfs")
    task_params = {name: init(0)[name] for name in init_single(0)}
    predictions = [
        jax.jit(model.apply, static_argnums=(2, 4))(params, None, "bfs", batch_of("bfs"), False)
        for model, params in ((multi, init(0)), (single, task_params))
    ]
    jax.tree.map(assert_close, *predictions)


# ---------------------------------------------------------------------------------------------------
# Compilation


@slow
def test_one_compilation_per_task_and_bucket():
    """Two alternating tasks with lengths that differ within a bucket: many steps, two compilations."""
    both = [Task(nar.ALGORITHMS["bfs"], (8,), {"p": (0.1, 0.2, 0.5)}), Task(nar.ALGORITHMS["minimum"], (6,))]
    stream = TrainingStream(both, batch_size=2, seed=0)
    model = make_model(NetConfig(PGN, 4), {task.name: task.spec for task in both})
    optimizer, devices = make_optimizer(1e-3, grad_clip_norm=1.0), Devices.all()
    step = make_train_step(model, optimizer)
    params = jax.eval_shape(
        model.init, jax.random.key(0), {"bfs": stream.batch(0), "minimum": stream.batch(1)}
    )
    params = jax.tree.map(lambda leaf: np.ones(leaf.shape, leaf.dtype), params)
    state = devices.make_state(
        lambda: TrainState(params, optimizer.init(params), jnp.zeros((), jnp.int32), jax.random.key(0))
    )
    longest = set()
    with contextlib.closing(Compilations()) as compilations:
        for index in range(10):
            batch, task = stream.batch(index), stream.task(index).name
            assert batch.num_steps == 16
            longest.add((task, int(batch.lengths.max())))
            state, _ = step(state, devices.put_batch(batch), task)
            assert compilations.programs["compute_gradients"] == min(index + 1, 2)
            assert compilations.programs["update_state"] == min(index + 1, 2)
    assert len(longest) > 2
