"""The canonical splits of CLRS-30: equal to those of dm-clrs."""

import json

import canonical_digests
import oracle
import pytest
import tasks
from trace_checks import assert_same

import nar
from nar.data import take
from nar.traces import CLRS30_SPLITS, clrs30_sample, clrs30_split

DIGESTS = json.loads(canonical_digests.PATH.read_text())
COUNT = 8
"""Traces of each split that dm-clrs generates here; it takes a quarter of an hour for all."""


def split_case(name, split):
    """Case of a split; only validation splits of algorithms that cover all kinds are not slow."""
    large = nar.ALGORITHMS[name].clrs30_multiplier > 1
    quick = split == "val" and name in tasks.COVERING and not large
    return pytest.param(name, split, marks=[] if quick else [pytest.mark.slow, pytest.mark.jit])


@pytest.mark.parametrize(
    ("name", "split"), [split_case(name, split) for name in DIGESTS for split in CLRS30_SPLITS]
)
def test_canonical_splits_equal_dm_clrs(name, split):
    official = oracle.samplers.CLRS30[split]
    multiplier = oracle.specs.CLRS_30_ALGS_SETTINGS[name]["num_samples_multiplier"] if split != "train" else 1
    found = clrs30_split(name, split)
    assert found.batch_size == official["num_samples"] * multiplier
    assert canonical_digests.digest_of(found) == DIGESTS[name][split]
    expected = oracle.sample(name, official["length"], COUNT, official["seed"])
    assert_same(take(found, slice(COUNT)), expected, tolerance=1e-9)


def test_digests_depend_on_every_value():
    batch = clrs30_sample("bfs", 5, 3, 0)
    digest = canonical_digests.digest_of(batch)
    for probes in (batch.inputs, batch.hints, batch.outputs):
        for value in probes.values():
            value.flat[-1] += 1
            assert canonical_digests.digest_of(batch) != digest
            value.flat[-1] -= 1
    assert canonical_digests.digest_of(batch) == digest


def test_every_algorithm_of_clrs30_has_digests_of_all_splits():
    assert list(DIGESTS) == [name for name, one in nar.ALGORITHMS.items() if one.in_clrs30]
    assert all(list(splits) == list(CLRS30_SPLITS) for splits in DIGESTS.values())


def test_split_parameters_equal_dm_clrs():
    official = {
        name: (split["num_samples"], split["length"], split["seed"])
        for name, split in oracle.samplers.CLRS30.items()
    }
    assert {name: (split.count, split.size, split.seed) for name, split in CLRS30_SPLITS.items()} == official
