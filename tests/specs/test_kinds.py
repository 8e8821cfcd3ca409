"""Custom kinds: what one brings, what it takes from another, and what every table does with it."""

import copy
import dataclasses
import functools
import pickle

import every_kind
import haiku as hk
import jax
import numpy as np
import pytest

import nar
from experiments.examples.directions import ANGLE, DIRECTIONS, differences
from experiments.examples.focal_mask import DOT_POINTER, FOCAL_MASK, focal_loss
from nar.data import Transforms, pad_nodes, permute_nodes
from nar.evaluation.correctness.exact_match import ENTRY_MATCHERS, exact_matches
from nar.evaluation.decoding import decode_outputs
from nar.evaluation.scores import SCORES, score_predictions
from nar.kinds import BUILT_IN_KINDS, KIND_PARTS, KINDS, Kind, KindTable, Location, find_kind, register_kind
from nar.losses import LOSS_MASKS, LOSSES, losses_by_probe
from nar.model import NetConfig, make_model
from nar.model.decoders import DECODERS
from nar.model.encoders import _LINK_THRESHOLDS, ENCODER_CHANNELS, Channels
from nar.model.hints import _DENSE, _HARD, _SOFT
from nar.processors import PROCESSORS
from nar.reports.trace_viewer.drawing_plan import GLYPHS, PAGES
from nar.reports.trace_viewer.page import Run, page_content
from nar.reports.trace_viewer.readable_values import READERS
from nar.reports.trace_viewer.trace_text import FORMS, trace_text
from nar.runs.components.graph import build_graph_run
from nar.specs import Probe, Spec, Stage, make_spec
from nar.text.rendering.columns import CONVERTERS
from nar.text.rendering.trace_to_text import to_text
from nar.traces import load_traces, save_traces
from nar.traces.validate import RULES

TABLES = {
    "rule": RULES,
    "text": CONVERTERS,
    "dense": _DENSE,
    "soft": _SOFT,
    "hard": _HARD,
    "encode": ENCODER_CHANNELS,
    "links": _LINK_THRESHOLDS,
    "decode": DECODERS,
    "loss": LOSSES,
    "loss_mask": LOSS_MASKS,
    "score": SCORES,
    "match": ENTRY_MATCHERS,
    "read": READERS,
    "print": FORMS,
    "glyph": GLYPHS,
    "page": PAGES,
}


def test_every_part_has_a_table():
    assert set(TABLES) == set(KIND_PARTS)
    for part, table in TABLES.items():
        assert isinstance(table, KindTable) and table._part == part


def keys_of(part, kind):
    return [(location, kind) for location in kind.locations] if KIND_PARTS[part].by_location else [kind]


@pytest.mark.parametrize("part", [part for part, content in KIND_PARTS.items() if not content.is_optional])
@pytest.mark.parametrize("kind", [*BUILT_IN_KINDS, ANGLE, FOCAL_MASK, DOT_POINTER], ids=repr)
def test_every_table_has_every_kind(part, kind):
    table = TABLES[part]
    for key in keys_of(part, kind):
        assert key in table and key in set(table)
        if kind.like is not None and part not in kind.functions:
            like = (key[0], kind.like) if isinstance(key, tuple) else kind.like
            assert table[key] is table[like]


def test_a_kind_brings_its_own_entries_and_takes_the_others():
    assert LOSSES[FOCAL_MASK] is focal_loss and SCORES[FOCAL_MASK] is SCORES[Kind.MASK]
    assert DECODERS[Location.EDGE, DOT_POINTER] is DECODERS[Location.EDGE, Kind.POINTER]
    assert DECODERS[Location.NODE, DOT_POINTER] is DOT_POINTER.functions["decode"][Location.NODE]
    of_focal = register_kind("of_focal", like=FOCAL_MASK, score=lambda truth, predicted: 0.5)
    assert LOSSES[of_focal] is focal_loss and of_focal.root is Kind.MASK
    assert register_kind("of_name", like="focal_mask").like is FOCAL_MASK
    assert SCORES[of_focal](None, None) == 0.5


def test_kinds_are_found_copied_and_pickled():
    assert find_kind("angle") is find_kind("experiments.examples.directions:ANGLE") is KINDS["angle"] is ANGLE
    for kind in (ANGLE, Kind.MASK):
        assert copy.deepcopy(kind) is kind and pickle.loads(pickle.dumps(kind)) is kind


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"like": Kind.MASK, "los": focal_loss}, "unknown attribute 'los'; known: .*; did you mean loss"),
        ({"like": Kind.MASK, "loss": "focal"}, r"loss must be \(values, logits\) -> .*, got 'focal'"),
        ({"like": Kind.MASK, "glyph": "dot"}, "glyph must be number, fill, .*, got 'dot'"),
        ({"like": Kind.MASK, "page": "angle"}, "page must be name of the built-in kind"),
        ({"like": Kind.MASK, "decode": {"node": len}}, "decode must be"),
        ({"like": Kind.MASK, "locations": ()}, "locations must be some of Location"),
        ({"like": Kind.MASK, "locations": Location.NODE}, "locations must be some of Location"),
        ({"like": "msk"}, "unknown kind 'msk'; known: scalar, .*; did you mean mask"),
        ({"like": focal_loss}, "unknown kind <function focal_loss"),
        ({"like": Kind.MASK_ONE, "locations": tuple(Location)}, "needs encode at graph"),
        ({"like": Kind.SCALAR, "dtype": np.float32}, "needs rule"),
        ({"like": Kind.MASK, "dtype": np.int32}, "indices of nodes, and only they, have the dtype int32"),
        ({}, "needs a dtype, or `like` another kind"),
        ({"dtype": np.float32}, "needs rule"),
    ],
)
def test_wrong_kinds_are_refused(attributes, message):
    with pytest.raises(ValueError, match=message):
        register_kind("wrong", **attributes)
    assert "wrong" not in KINDS


def test_taken_names_are_refused():
    with pytest.raises(ValueError, match="the name 'mask' is taken by another kind"):
        register_kind("mask", like=Kind.MASK)


# ---------------------------------------------------------------------------------------------------
# A kind with a format of its own: several numbers at each place


def _numbers(location):
    return lambda value, mask: Channels(location, (value,))


def register_vector():
    """Three numbers at each location, such as a position in space."""
    return register_kind(
        "place",
        dtype=np.float64,
        has_classes=True,
        is_number=True,
        rule=("finite", lambda value, num_nodes: bool(np.isfinite(value).all())),
        text=lambda values: np.linalg.norm(values, axis=-1),
        dense=lambda value, num_nodes: value.astype(np.float32),
        soft=lambda logits, iterations: logits,
        hard=lambda logits, iterations: jax.lax.stop_gradient(logits),
        encode={location: _numbers(location) for location in Location},
        decode={location: DECODERS[location, Kind.CATEGORICAL] for location in Location},
        loss=lambda truth, predicted: ((truth - predicted) ** 2).sum(axis=-1),
        loss_mask=lambda truth: np.ones(truth.shape[:-1], bool),
        score=lambda truth, predicted: float((np.abs(truth - predicted) < 0.1).mean()),
        match=lambda truth, predicted: (np.abs(truth - predicted) < 0.1).all(axis=-1),
        read=lambda values: np.linalg.norm(values, axis=-1),
        print=lambda value, node: f"|{value:.1f}|",
        glyph={Location.NODE: "number", Location.EDGE: "matrix", Location.GRAPH: "value"},
        page="scalar",
    )


def vector_spec(kind):
    def rows(stage):
        return {f"{stage}_{location.value}": (location, kind, 3) for location in Location}

    inputs = {"pos": (Location.NODE, Kind.SCALAR), **rows("input")}
    return make_spec(inputs=inputs, hints=rows("hint"), outputs=rows("output"))


def random_batch(spec, num_nodes=4):
    batch = every_kind.random_batch(0, make_scalars(spec), num_nodes=num_nodes)
    random = np.random.default_rng(1)
    for values in (batch.inputs, batch.hints, batch.outputs):
        for name, value in values.items():
            if spec[name].num_classes:
                values[name] = random.standard_normal((*value.shape, spec[name].num_classes))
    return batch


def make_scalars(spec):
    return Spec(Probe(probe.name, probe.stage, probe.location, Kind.SCALAR) for probe in spec.values())


def predict(spec, batch, processor="mpnn"):
    """Predictions and losses of a small network with random parameters, and gradients."""
    model = make_model(NetConfig(functools.partial(PROCESSORS[processor]), 4), {"task": spec})
    params = model.init(jax.random.key(0), {"task": batch})

    @jax.jit
    def total(params):
        predictions = model.apply(params, jax.random.key(1), "task", batch, True)
        losses = losses_by_probe(spec, batch, predictions)
        return sum(losses.values()), (predictions, losses)

    (_, (predictions, losses)), gradients = jax.value_and_grad(total, has_aux=True)(params)
    return predictions, losses, gradients


@pytest.mark.slow
def test_a_kind_with_a_format_of_its_own_goes_through_the_whole_library():
    spec = vector_spec(register_vector())
    batch = random_batch(spec)
    predictions, losses, gradients = predict(spec, batch)
    assert set(losses) == {probe.name for probe in (*spec.hints, *spec.outputs)}
    assert all(np.isfinite(loss) and loss > 0 for loss in losses.values())
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(gradients))
    outputs = decode_outputs(spec, predictions.outputs)
    assert {name: value.shape for name, value in outputs.items()} == {
        name: value.shape for name, value in batch.outputs.items()
    }
    assert score_predictions(spec, batch.outputs, batch.outputs)["score"] == 1
    assert exact_matches(spec, batch.outputs, batch.outputs).all()
    assert score_predictions(spec, batch.outputs, outputs)["score"] < 1
    padded = pad_nodes(batch, spec, 6)
    assert padded.outputs["output_edge"].shape == (3, 6, 6, 3)
    order = np.tile([3, 1, 0, 2], (3, 1))
    permuted = permute_nodes(spec, batch, order)
    np.testing.assert_array_equal(permuted.outputs["output_node"], batch.outputs["output_node"][:, order[0]])
    text = trace_text(spec, batch.trace(0))
    assert f"|{np.linalg.norm(batch.trace(0).outputs['output_graph']):.1f}|" in text
    content = page_content(DIRECTIONS, [Run("truth", batch.trace(0))], spec=spec)
    assert {probe["look"] for probe in content["probes"]} == {"scalar"}


# ---------------------------------------------------------------------------------------------------
# The examples


def test_directions_fulfill_the_contract():
    nar.traces.check_algorithm(DIRECTIONS, sizes=(2, 5))


def test_angles_are_compared_on_the_circle():
    truth, predicted = np.array([[np.pi - 0.01, 0.0]]), np.array([[-np.pi + 0.01, np.pi]])
    assert LOSSES[ANGLE](truth, predicted) == pytest.approx(np.array([[0.0, 2.0]]), abs=1e-3)
    assert SCORES[ANGLE](truth, predicted) == 0.5
    assert ENTRY_MATCHERS[ANGLE](truth, predicted).tolist() == [[True, False]]
    assert differences(truth, predicted)[0, 0] == pytest.approx(0.02)
    encode = ENCODER_CHANNELS[Location.NODE, ANGLE]
    first, second = (encode(value[:, :1], None).groups[0] for value in (truth, predicted))
    np.testing.assert_allclose(first, second, atol=0.03)


def test_angles_are_rendered_drawn_and_saved(tmp_path):
    batch = nar.sample_traces(DIRECTIONS, 4, 2, 0)
    degrees = np.degrees(batch.outputs["angle"][0])
    assert f"{degrees[0]:.0f}°" in trace_text(DIRECTIONS.spec, batch.trace(0))
    content = page_content(DIRECTIONS, [Run("truth", batch.trace(0))])
    looks = {probe["name"]: (probe["kind"], probe["look"], probe["glyph"]) for probe in content["probes"]}
    assert looks["angle"] == ("angle", "scalar", "number")
    text = to_text(DIRECTIONS, batch.trace(0))
    assert str(batch.outputs["angle"][0, 0])[:8] in text.answer
    name = "experiments.examples.directions:DIRECTIONS"
    save_traces(tmp_path / "traces.npz", batch, name=name)
    loaded = load_traces(tmp_path / "traces.npz")
    assert loaded.spec == DIRECTIONS.spec
    np.testing.assert_array_equal(loaded.batch.outputs["angle"], batch.outputs["angle"])


def test_a_file_with_an_unknown_kind_is_refused(tmp_path):
    """Its name is not imported: a file of traces runs no code."""
    unknown = dataclasses.replace(ANGLE, name="os:path")
    spec = make_spec(
        inputs={"pos": (Location.NODE, Kind.SCALAR)}, hints={}, outputs={"out": (Location.NODE, unknown)}
    )
    batch = every_kind.random_batch(0, make_scalars(spec))
    save_traces(tmp_path / "traces.npz", batch, name="bfs", spec=spec)
    with pytest.raises(ValueError, match="unknown kind 'os:path'; known: scalar.*import the module"):
        load_traces(tmp_path / "traces.npz")


CONFIG = {"algorithms": ("bfs",), "data": {"sizes": (4,)}, "model": {"processor": "mpnn", "hidden_size": 4}}


def with_kinds(**kinds):
    return build_graph_run({**CONFIG, "data": {"sizes": (4,), "kinds": kinds}})


def test_a_config_replaces_kinds():
    module = "experiments.examples.focal_mask"
    components = with_kinds(mask=f"{module}:FOCAL_MASK", pointer=f"{module}:DOT_POINTER")
    (task,) = components.tasks
    before = Transforms().spec(task.algorithm)
    replaced = {Kind.MASK: FOCAL_MASK, Kind.POINTER: DOT_POINTER}
    assert [probe.kind for probe in task.spec.values()] == [
        replaced.get(probe.kind, probe.kind) for probe in before.values()
    ]
    shapes = jax.eval_shape(components.model.init, jax.random.key(0), components.stream.examples())
    names = {name for name in hk.data_structures.to_mutable_dict(shapes["bfs"]) if "/pi/" in name}
    assert {name.rpartition("/")[2] for name in names} == {"query", "key"}


@pytest.mark.parametrize(
    ("kinds", "message"),
    [
        ({"maks": "mask"}, "data.kinds: unknown kind 'maks'; known: scalar, .*; did you mean mask"),
        (
            {"mask": "angle"},
            "data.kinds: kind 'angle' cannot replace 'mask'",
        ),
        ({"categorical": "categorical"}, "no probe of this run is a categorical; its kinds: mask, mask_one"),
        ({"mask": "experiments.examples.focal_mask:FOCAL"}, "has no kind 'FOCAL'; it has: .*FOCAL_MASK"),
        ({"mask": 3}, "data.kinds.mask must be a string, got 3"),
    ],
)
def test_wrong_kinds_of_a_config_are_refused(kinds, message):
    with pytest.raises(ValueError, match=message):
        with_kinds(**kinds)


@pytest.mark.parametrize(
    ("part", "entry", "message"),
    [
        (
            "loss",
            lambda truth, logits: logits.mean(),
            r"kind 'misfit': loss must return .* \[3, 4\], got .* \[\]",
        ),
        ("loss_mask", lambda truth: True, "kind 'misfit': loss_mask must return an array .*, got True"),
        (
            "decode",
            lambda decoder_inputs, *sizes: decoder_inputs.nodes[..., :3],
            r"the loss of kind misfit fails for values \[3, 4\] and logits \[3, 4, 3\]",
        ),
        ("encode", lambda value, mask: value, "kind 'misfit': encode must return .* got .* for 'level'"),
        (
            "encode",
            lambda value, mask: Channels(Location.NODE, (value,)),
            r"kind 'misfit': encode must return .* got groups .* \[\(3, 4\)\] for 'level'",
        ),
    ],
)
def test_entries_of_another_shape_are_named(part, entry, message):
    misfit = dataclasses.replace(Kind.MASK, name="misfit", like=Kind.MASK, functions={part: entry})
    found = {"found": (Location.NODE, misfit)}
    inputs, hints = ({name: (Location.NODE, Kind.SCALAR)} for name in ("pos", "distance"))
    inputs["level"] = found["found"]
    spec = make_spec(inputs=inputs, hints=hints, outputs=found)
    batch = random_batch(spec)
    with pytest.raises(ValueError, match=message):
        losses_by_probe(spec, batch, predict(spec, batch))


def test_custom_scores_are_tried_before_training():
    broken = register_kind("broken", like=Kind.POINTER, score=lambda truth, predicted: truth == predicted)
    components = with_kinds(pointer=broken.name)
    with pytest.raises(
        ValueError, match="the score fails for bfs: .* the score of kind broken must be a number"
    ):
        components.check_metrics()


def test_focal_loss_counts_easy_entries_less():
    truth, logits = np.float32([1, 1]), np.float32([4, -4])
    focal, plain = (np.asarray(LOSSES[kind](truth, logits)) for kind in (FOCAL_MASK, Kind.MASK))
    assert focal[0] / plain[0] < 1e-3 < 0.9 < focal[1] / plain[1] < 1


def test_stages_of_specs_with_custom_kinds():
    assert [probe.kind for probe in DIRECTIONS.spec.at(Stage.OUTPUT)] == [ANGLE]
