"""Building of tasks and networks from configs."""

import jax
import pytest

from configs import base
from nar.algorithms import ALGORITHMS
from nar.data import Transforms
from nar.model import HINT_MODES, Budget, Learned, Schedule
from nar.model.params_by_task import flatten_tasks
from nar.runs.components import build_graph_run
from nar.runs.components.tasks import make_tasks
from nar.runs.config import RunConfig


def task_of(name, **changes):
    return make_tasks(RunConfig.from_dict({"algorithms": name, "data": changes}), Transforms())[0]


def test_recipe_of_ibarz_et_al():
    """Sizes and edge probabilities of arXiv 2209.11142, with its exceptions for some algorithms."""
    tenths = tuple(round(0.1 * k, 1) for k in range(1, 10))
    for name, algorithm in ALGORITHMS.items():
        task = task_of(name)
        strings = name in ("naive_string_matcher", "kmp_matcher")
        assert task.sizes == ((20,) if strings else (4, 7, 11, 13, 16)), name
        few = name in ("articulation_points", "bridges", "mst_kruskal", "bipartite_matching")
        if "p" in algorithm.problem.options:
            expected = [p / 2 for p in tenths] if few else list(tenths)
            assert list(task.problem_options["p"]) == pytest.approx(expected), name
        assert ("length_needle" in task.problem_options) == strings


def test_user_settings_override_exceptions():
    assert task_of("kmp_matcher", sizes=(32, 40)).sizes == (32, 40)
    assert task_of("bridges", problem={"p": 0.3}).problem_options == {"p": 0.3, "family": "clrs30"}
    stored = {"p": list(base.get_config().data.problem.p)}
    assert max(task_of("bridges", problem=stored).problem_options["p"]) == 0.45


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sizes": ()}, "at least one size"),
        ({"problem": {"q": 1}}, "data.problem.q: none of bfs has this option; known: .*p"),
        ({"exceptions": {"bfs": {"size": 1}}}, "data.exceptions.bfs.size is unknown; known: sizes, problem"),
        ({"exceptions": {"bfs": {"sizes": (0,)}}}, "bfs: size must be"),
        (
            {"exceptions": {"bsf": {"sizes": (4,)}}},
            "exceptions: unknown algorithm 'bsf'.*mean bfs",
        ),
    ],
)
def test_invalid_data_config_is_rejected(changes, message):
    with pytest.raises(ValueError, match=message):
        task_of("bfs", **changes)


def test_processor_options_are_checked():
    config = base.get_config().to_dict()
    config["model"]["processor_options"] = {"num_triplet_features": 4}
    build_graph_run(config)
    for processor in ("mpnn", "gmpnn"):
        config["model"]["processor"] = processor
        with pytest.raises(ValueError, match=f"processor_options of {processor}: .*num_triplet_features"):
            build_graph_run(config)


@pytest.mark.parametrize(
    ("processor", "options", "message"),
    [
        ("gat", {"num_heads": 3}, "processor_options of gat: num_heads must divide hidden_size = 4, got 3"),
        (
            "mpnn",
            {"aggregation": "min"},
            "processor_options of mpnn: unknown aggregation 'min'; known: max, sum",
        ),
        (
            "memnet_full",
            {"memory_size": 0},
            "processor_options of memnet_full: memory_size must be an integer of at least 1, got 0",
        ),
        (
            "fractions:Fraction",
            {},
            r"model.processor fractions:Fraction: a processor must have the method __call__, such as .*; got "
            r"Fraction\(4, 1\)",
        ),
        ("colorsys:ONE_THIRD", {}, "colorsys has no processor 'ONE_THIRD'; it has: rgb_to_yiq, "),
        ("os:system", {}, "os has no processor 'system'; it has: "),
        ("mpn", {}, "unknown processor 'mpn'; known: deepsets, "),
    ],
)
def test_invalid_processor_is_rejected(processor, options, message):
    with pytest.raises(ValueError, match=message):
        build_graph_run(config_with(model__processor=processor, model__processor_options=options))


def test_aggregation_by_name():
    components = build_graph_run(config_with(model__processor_options={"aggregation": "recurrent"}))
    params = jax.eval_shape(components.model.init, jax.random.key(0), {"bfs": components.stream.batch(0)})
    assert params["processor"]["mpnn/recurrent"]["w"].shape == (8, 16)


def config_with(**changes):
    """Returns a small base config with some keys changed; a double underscore stands for a dot."""
    config = base.get_config()
    config.model.processor, config.model.hidden_size = "mpnn", 4
    with config.unlocked():
        config.update_from_flattened_dict({key.replace("__", "."): value for key, value in changes.items()})
    return config.to_dict()


def test_model_options_reach_the_network():
    components = build_graph_run(
        config_with(
            model__hint_mode="decoded_only",
            model__teacher_forcing=1.0,
            model__teacher_forcing_schedule={"shape": "cosine", "end": 0.1, "steps": 20},
            model__message_passing_steps=2,
            model__dropout=0.1,
            model__lstm=True,
            model__encoder_init="default",
            model__precision="bfloat16",
            model__remat=True,
            model__termination="learned",
            model__budget__steps=3,
        )
    )
    config = components.model.config
    assert config.hints == HINT_MODES["decoded_only"]
    assert config.teacher_forcing == Schedule("cosine", 1.0, 0.1, 20)
    assert (config.message_passing_steps, config.dropout, config.lstm) == (2, 0.1, True)
    assert (config.encoder_init, config.precision, config.remat) == ("default", "bfloat16", True)
    assert config.termination == Learned(Budget(steps=3, steps_per_node=1.0))


def test_auxiliary_losses_have_weights():
    weights = {"auxiliary/halting": 2.0, "bfs/auxiliary/halting": 0.5, "hint": 0.1}
    components = build_graph_run(config_with(model__termination="learned", training__loss_weights=weights))
    assert components.loss_weights == weights


def test_without_layer_norm():
    def names(**changes):
        components = build_graph_run(config_with(**changes))
        batches = {"bfs": components.stream.batch(0)}
        return set(flatten_tasks(jax.eval_shape(components.model.init, jax.random.key(0), batches)))

    assert names() - names(model__layer_norm=False) == {"processor/mpnn/norm"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model__hint_mode": "decoded"}, "unknown hint_mode 'decoded'; known: encoded_decoded, "),
        ({"model__message_passing_steps": 0}, "model.message_passing_steps must be an integer of at least 1"),
        ({"model__dropout": 1.0}, "dropout must be at least 0 and less than 1"),
        (
            {"model__encoder_init": "xavier"},
            "unknown encoder_init 'xavier'; known: default, xavier_on_scalars",
        ),
        ({"model__precision": "float16"}, "unknown precision 'float16'; known: float32, bfloat16"),
        (
            {"training__grad_accumulation_steps": 5},
            "grad_accumulation_steps must divide the batch_size 32, got 5",
        ),
        (
            {"training__grad_accumulation_steps": -1},
            "grad_accumulation_steps must be an integer of at least 1, or 0, got -1",
        ),
        ({"model__termination": "never"}, "unknown termination 'never'; known: trace, budget, learned"),
        (
            {"model__termination": "budget", "model__budget__steps": -1},
            "budget steps must be a number from 0 to 100000",
        ),
        (
            {"model__termination": "learned", "model__halting__prior": 2.0},
            "halting prior must lie between",
        ),
        (
            {"model__teacher_forcing_schedule": {"shape": "step", "end": 0.0, "steps": 5}},
            "model.teacher_forcing_schedule: unknown schedule shape 'step'",
        ),
        (
            {"training__loss_weights": {"hnt": 1.0}},
            "training.loss_weights: unknown loss weight 'hnt'; known: ",
        ),
        (
            {"model__hint_mode": "none", "training__loss_weights": {"bfs/pi_h": 1.0}},
            r"unknown loss weight 'bfs/pi_h'; known: hint, output, auxiliary, bfs, bfs/pi; "
            r"did you mean bfs/pi\?$",
        ),
        ({"training__loss_weights": {"auxiliary/x": 1.0}}, "unknown loss weight 'auxiliary/x'; known: "),
        (
            {"training__loss_weights": {"bfs/pi_h": -1.0}},
            "loss weight bfs/pi_h must be a finite number >= 0",
        ),
    ],
)
def test_invalid_options_are_rejected(changes, message):
    with pytest.raises(ValueError, match=message):
        build_graph_run(config_with(**changes))
