"""Probes, specs, and the tables indexed by kind or location."""

import itertools

import numpy as np
import pytest

import nar
from nar import specs
from nar.kinds import BUILT_IN_KINDS, CLRS30_KINDS
from nar.specs import Kind, Location, Probe, Spec, Stage, make_spec

LOCATION_SHAPES = {Location.NODE: (5,), Location.EDGE: (5, 5), Location.GRAPH: ()}


def probe_of(location, kind, name="x", stage=Stage.HINT):
    return Probe(name, stage, location, kind, num_classes=3 if kind.has_classes else 0)


@pytest.mark.parametrize(
    ("table", "keys"),
    [(specs._LOCATION_SHAPES, Location)],
)
def test_tables_cover_every_enum_member(table, keys):
    assert set(table) == set(keys)


@pytest.mark.parametrize("location", Location)
@pytest.mark.parametrize("kind", [Kind.SCALAR, Kind.MASK, Kind.POINTER, Kind.CATEGORICAL])
def test_shape(location, kind):
    classes = (3,) if kind is Kind.CATEGORICAL else ()
    assert probe_of(location, kind).shape(5) == LOCATION_SHAPES[location] + classes


@pytest.mark.parametrize("kind", [Kind.MASK_ONE, Kind.SHOULD_BE_PERMUTATION])
def test_shape_of_node_kinds(kind):
    assert probe_of(Location.NODE, kind).shape(5) == (5,)


def test_shape_of_permutation():
    assert probe_of(Location.NODE, Kind.PERMUTATION_POINTER).shape(5) == (5, 5)


@pytest.mark.parametrize("kind", BUILT_IN_KINDS)
def test_only_numbers_are_stored_as_floats(kind):
    dtype = probe_of(Location.NODE, kind).dtype
    represents_fractions = np.array(0.1).astype(dtype) == 0.1
    assert represents_fractions == (kind in (Kind.SCALAR, Kind.VECTOR))
    assert np.array(-1).astype(dtype) == specs.MASKED


def test_categorical_needs_classes():
    with pytest.raises(ValueError, match=r"'x'.*num_classes >= 1.*categorical.*num_classes=0"):
        Probe("x", Stage.HINT, Location.NODE, Kind.CATEGORICAL)
    with pytest.raises(ValueError, match=r"num_classes=-1"):
        Probe("x", Stage.HINT, Location.NODE, Kind.CATEGORICAL, num_classes=-1)


def test_scalars_with_a_width_are_vectors():
    spec = specs.make_spec(inputs={"x": (Location.NODE, Kind.SCALAR, 3)}, hints={}, outputs={})
    assert spec["x"] == Probe("x", Stage.INPUT, Location.NODE, Kind.VECTOR, 3)
    assert spec["x"].shape(5) == spec["x"].compact_shape(5) == (5, 3)
    with pytest.raises(ValueError, match="vector with num_classes=0"):
        Probe("x", Stage.INPUT, Location.NODE, Kind.VECTOR)


NOT_WIDE = [kind for kind in BUILT_IN_KINDS if kind not in (Kind.CATEGORICAL, Kind.SCALAR, Kind.VECTOR)]


@pytest.mark.parametrize("kind", NOT_WIDE)
def test_num_classes_is_only_for_categoricals_and_vectors(kind):
    with pytest.raises(ValueError, match=f"{kind.name} with num_classes=3"):
        Probe("x", Stage.HINT, Location.NODE, kind, num_classes=3)


@pytest.mark.parametrize("location", [Location.EDGE, Location.GRAPH])
@pytest.mark.parametrize("kind", [Kind.SHOULD_BE_PERMUTATION, Kind.PERMUTATION_POINTER])
def test_permutations_must_be_at_nodes(location, kind):
    with pytest.raises(ValueError, match=f"{kind.name} .*{location.value}"):
        probe_of(location, kind)


def test_mask_one_cannot_be_at_graph():
    with pytest.raises(ValueError, match=r"mask_one .*graph"):
        probe_of(Location.GRAPH, Kind.MASK_ONE)


def test_spec_is_an_ordered_mapping():
    probes = [
        probe_of(Location.NODE, Kind.SCALAR, name, stage) for name, stage in zip("caebf", Stage, strict=True)
    ]
    spec = Spec(probes)
    assert list(spec) == ["c", "a", "e", "b", "f"]
    assert list(spec.values()) == probes
    assert spec.inputs + spec.streams + spec.hints + spec.answers + spec.outputs == tuple(probes)
    assert spec.per_step == tuple(probes[1:4])
    assert spec["a"] is probes[1]
    assert spec.get("d") is None


def test_spec_is_hashable_and_compared_by_value():
    def build(kind):
        return make_spec(inputs={"x": (Location.NODE, kind)}, hints={}, outputs={})

    assert build(Kind.MASK) == build(Kind.MASK)
    assert hash(build(Kind.MASK)) == hash(build(Kind.MASK))
    assert build(Kind.MASK) != build(Kind.SCALAR)
    assert build(Kind.MASK) != {"x": build(Kind.MASK)["x"]}


def test_spec_equality_depends_on_order():
    first, second = (probe_of(Location.NODE, Kind.MASK, name) for name in "ab")
    assert Spec([first, second]) != Spec([second, first])


def test_repr_contains_every_probe():
    text = repr(nar.ALGORITHMS["bfs"].spec)
    assert all(f"name={name!r}" in text for name in nar.ALGORITHMS["bfs"].spec)


def test_repeated_probe_names_raise():
    rows = {"x": (Location.NODE, Kind.MASK)}
    with pytest.raises(ValueError, match=r"repeated: \['x'\]"):
        make_spec(inputs=rows, hints=rows, outputs={})


def test_specs_and_probes_are_immutable():
    spec = nar.ALGORITHMS["bfs"].spec
    with pytest.raises(AttributeError):
        spec["pi"].name = "other"
    with pytest.raises(TypeError):
        spec["pi"] = spec["pos"]


def test_algorithms_use_every_location_and_kind_of_clrs30():
    probes = list(
        itertools.chain.from_iterable(algorithm.spec.values() for algorithm in nar.ALGORITHMS.values())
    )
    assert {probe.location for probe in probes} == set(Location)
    assert {probe.kind for probe in probes} == set(CLRS30_KINDS) - {Kind.PERMUTATION_POINTER}
