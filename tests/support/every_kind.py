"""A synthetic task with probes of every kind at every location and stage, and random ground truth for it.

No algorithm of the library uses some of these combinations, which would otherwise be untested.
"""

import numpy as np

from nar.data import FIRST_SUFFIX
from nar.kinds import BUILT_IN_KINDS, CLRS30_KINDS
from nar.specs import MASKED, Kind, Location, Probe, Spec, Stage
from nar.traces import TraceBatch

NUM_CLASSES = 3


def make_probe(stage, location, kind):
    """Makes a probe named by its stage, location and kind; ValueError if there is no such probe."""
    name = f"{stage.value}_{location.value}_{kind.name}"
    if (stage, location, kind) == (Stage.INPUT, Location.NODE, Kind.SCALAR):
        name = "pos"
    elif (stage, location, kind) == (Stage.OUTPUT, Location.NODE, Kind.MASK_ONE):
        # The mask of the first node that accompanies a permutation.
        name = f"{stage.value}_{location.value}_{Kind.PERMUTATION_POINTER.name}{FIRST_SUFFIX}"
    return Probe(name, stage, location, kind, NUM_CLASSES if kind.has_classes else 0)


def _is_valid(location, kind):
    try:
        make_probe(Stage.INPUT, location, kind)
    except ValueError:
        return False
    return True


ALL_PROBE_TYPES = [
    (location, kind) for location in Location for kind in BUILT_IN_KINDS if _is_valid(location, kind)
]
"""All valid pairs (location, kind) of probes."""

PROBE_TYPES = [(location, kind) for location, kind in ALL_PROBE_TYPES if kind in CLRS30_KINDS]
"""Pairs that dm-clrs has."""

NAME = "every_kind"


def spec_of(*stages, probe_types=ALL_PROBE_TYPES):
    """A spec with a probe of every kind at every location and at each of the stages."""
    return Spec(
        make_probe(stage, location, kind)
        for stage in stages
        for location, kind in probe_types
        # Only outputs become permutation matrices, and many Sinkhorn iterations take long to compile.
        if stage is Stage.OUTPUT or kind is not Kind.PERMUTATION_POINTER
    )


SPEC = spec_of(Stage.INPUT, Stage.HINT, Stage.OUTPUT, probe_types=PROBE_TYPES)
"""The stages and kinds of CLRS-30."""


def small_spec(location, kind):
    """A spec with positions as input, and a hint and an output of one location and kind."""
    stages = (Stage.HINT, Stage.OUTPUT)
    positions = make_probe(Stage.INPUT, Location.NODE, Kind.SCALAR)
    return Spec([positions, *(make_probe(stage, location, kind) for stage in stages)])


def random_truth(random, probe, leading, num_nodes, masked=0.0):
    """Random ground truth [*leading, ...]; a share `masked` of the maskable entries is masked."""
    shape = (*leading, *probe.shape(num_nodes))
    if probe.kind.is_number:
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
        previous = np.roll(order, 1, axis=-1)
        np.put_along_axis(
            value, order[..., None], (previous[..., None] == np.arange(num_nodes)).astype(float), -2
        )
    else:
        value = (random.integers(0, shape[-1], (*shape[:-1], 1)) == np.arange(shape[-1])).astype(int)
        value[random.random(shape[:-1]) < masked] = MASKED
    return value.astype(probe.dtype)


def random_batch(seed, spec=SPEC, batch_size=3, num_nodes=4, num_steps=4, masked=0.0):
    """A batch of random traces of decreasing lengths."""
    random = np.random.default_rng(seed)

    def values(probes, *leading):
        return {probe.name: random_truth(random, probe, leading, num_nodes, masked) for probe in probes}

    lengths = np.maximum(num_steps - np.arange(batch_size), 1).astype(np.int32)
    hints = values(spec.per_step, num_steps, batch_size)
    for index, length in enumerate(lengths):
        for value in hints.values():
            value[length:, index] = 0
    return TraceBatch(values(spec.inputs, batch_size), hints, values(spec.outputs, batch_size), lengths)
