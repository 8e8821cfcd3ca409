"""A made-up task that has every kind at every location, as input, hint and output, and random truth for it.

The algorithms do not use all of them, and what none uses would go untested.
"""

import numpy as np

from nar.data import FIRST_SUFFIX
from nar.specs import MASKED, Kind, Location, Probe, Spec, Stage
from nar.traces import TraceBatch

NUM_CLASSES = 3


def make_probe(stage, location, kind):
    """A probe named by its place; ValueError if there can be none."""
    name = f"{stage.value}_{location.value}_{kind.value}"
    if (stage, location, kind) == (Stage.INPUT, Location.NODE, Kind.SCALAR):
        name = "pos"
    elif (stage, location, kind) == (Stage.OUTPUT, Location.NODE, Kind.MASK_ONE):
        # The first node of the permutation, which is decoded beside it.
        name = f"{stage.value}_{location.value}_{Kind.PERMUTATION_POINTER.value}{FIRST_SUFFIX}"
    return Probe(name, stage, location, kind, NUM_CLASSES if kind is Kind.CATEGORICAL else 0)


def _can_be(location, kind):
    try:
        make_probe(Stage.INPUT, location, kind)
    except ValueError:
        return False
    return True


PROBE_TYPES = [(location, kind) for location in Location for kind in Kind if _can_be(location, kind)]
"""Every pair of location and kind that a probe can have."""

NAME = "every_kind"
SPEC = Spec(
    make_probe(stage, location, kind)
    for stage in Stage
    for location, kind in PROBE_TYPES
    # Only outputs become permutation matrices, and many Sinkhorn iterations take long to compile.
    if stage is Stage.OUTPUT or kind is not Kind.PERMUTATION_POINTER
)


def small_spec(location, kind):
    """Positions as input, and the same kind as hint and as output."""
    stages = (Stage.HINT, Stage.OUTPUT)
    positions = make_probe(Stage.INPUT, Location.NODE, Kind.SCALAR)
    return Spec([positions, *(make_probe(stage, location, kind) for stage in stages)])


def random_truth(random, probe, leading, num_nodes, masked=0.0):
    """Values [*leading, ...] as a trace holds them; a share `masked` of what can be masked is masked."""
    shape = (*leading, *probe.shape(num_nodes))
    if probe.kind is Kind.SCALAR:
        return random.standard_normal(shape)
    if probe.kind is Kind.MASK:
        value = random.integers(0, 2, shape)
        value[random.random(shape) < masked] = MASKED
    elif probe.kind in (Kind.POINTER, Kind.SHOULD_BE_PERMUTATION):
        value = random.integers(0, num_nodes, shape)
    elif probe.kind is Kind.PERMUTATION_POINTER:
        # A cycle through all nodes.
        order = random.permuted(np.broadcast_to(np.arange(num_nodes), shape[:-1]), axis=-1)
        value = np.zeros(shape)
        before = np.roll(order, 1, axis=-1)
        np.put_along_axis(
            value, order[..., None], (before[..., None] == np.arange(num_nodes)).astype(float), -2
        )
    else:
        value = (random.integers(0, shape[-1], (*shape[:-1], 1)) == np.arange(shape[-1])).astype(int)
        value[random.random(shape[:-1]) < masked] = MASKED
    return value.astype(probe.dtype)


def random_batch(seed, spec=SPEC, batch_size=3, num_nodes=4, num_steps=4, masked=0.0):
    """Traces of random values; their lengths differ, and the first is the longest."""
    random = np.random.default_rng(seed)

    def values(probes, *leading):
        return {probe.name: random_truth(random, probe, leading, num_nodes, masked) for probe in probes}

    lengths = np.maximum(num_steps - np.arange(batch_size), 1).astype(np.int32)
    hints = values(spec.hints, num_steps, batch_size)
    for index, length in enumerate(lengths):
        for value in hints.values():
            value[length:, index] = 0
    return TraceBatch(values(spec.inputs, batch_size), hints, values(spec.outputs, batch_size), lengths)
