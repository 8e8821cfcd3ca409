"""Runs on neighbor lists: trained and evaluated sparse as dense, and evaluated on large graphs."""

import tracemalloc
import warnings

import jax
import networkx as nx
import numpy as np
import pytest

import nar
from nar.metrics_file import read_metrics
from nar.runs.build import build_run
from nar.runs.run import with_execution

PROBLEMS = {"sizes": (8,), "count": 4}


def config_of(execution="dense", pairs="edges", **training):
    return {
        "algorithms": ("bfs",),
        "model": {"processor": "pgn_mask", "hidden_size": 8, "pairs": pairs, "execution": execution},
        "data": {"sizes": (5, 7)},
        "training": {"steps": 6, "eval_every": 3, "batch_size": 4, "learning_rate": 0.01, **training},
        "evaluation": {"validation": PROBLEMS, "test": PROBLEMS},
    }


@pytest.fixture(scope="module")
def dense(tmp_path_factory):
    return nar.train(config_of(), tmp_path_factory.mktemp("dense") / "run")


@pytest.mark.slow
def test_a_run_trained_dense_is_evaluated_sparse(dense):
    sparse = nar.load_run(dense.workdir.path, execution="sparse")
    assert sparse.evaluate(sizes=(6, 9), count=5) == dense.evaluate(sizes=(6, 9), count=5)
    graph = nx.path_graph(7)
    expected, found = (run.predict("bfs", A=graph, s=2, num_steps=4) for run in (dense, sparse))
    np.testing.assert_array_equal(found.outputs["pi"], expected.outputs["pi"])
    np.testing.assert_array_equal(found.hints["pi_h"], expected.hints["pi_h"])
    np.testing.assert_allclose(found.states, expected.states, atol=1e-4)


@pytest.mark.slow
def test_a_run_trained_sparse_has_the_losses_of_one_trained_dense(dense, tmp_path):
    sparse = nar.train(config_of("sparse"), tmp_path / "run")
    found, expected = ([one["loss"] for one in losses_of(run)] for run in (sparse, dense))
    assert len(found) == 2
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    assert sparse.result["scores"] == dense.result["scores"]


def losses_of(run):
    return [one for one in read_metrics(run.workdir.metrics) if "loss" in one]


@pytest.mark.slow
def test_sparse_runs_resume_bit_for_bit(tmp_path):
    expected = nar.train(config_of("sparse"), tmp_path / "whole")
    nar.train(config_of("sparse", steps=3), tmp_path / "resumed")
    resumed = nar.train(config_of("sparse"), tmp_path / "resumed")
    jax.tree.map(np.testing.assert_array_equal, resumed.params, expected.params)


@pytest.mark.slow
def test_large_graphs(dense):
    """A dense array of one feature per pair would have 64 MB; the families are drawn as lists."""
    sparse = nar.load_run(dense.workdir.path, execution="sparse")
    scores = sparse.evaluate(sizes=(4000,), families=("watts_strogatz",), count=1, k=4)
    assert 0 <= scores["bfs"]["4000, watts_strogatz"]["pi"] <= 1


def test_pointers_to_other_nodes_are_warned_of():
    for pairs, is_warned in (("all", True), ("edges", False)):
        config = nar.RunConfig.from_dict(config_of(pairs=pairs))
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            assert with_execution(config, "sparse").model.execution == "sparse"
        assert [str(one.message).partition(":")[0] for one in caught] == [
            "this network was trained with model.pairs=all"
        ] * is_warned


@pytest.mark.parametrize(
    ("section", "values", "message"),
    [
        ("model", {"execution": "lists"}, "model.execution: unknown execution 'lists'; known: dense, sparse"),
        ("model", {"pairs": "some"}, "unknown pairs 'some'; known: all, edges"),
        ("model", {"processor": "mpnn"}, "model.execution sparse: the processor mpnn computes on all pairs"),
        ("training", {"chunk_length": 2}, "sparse cannot be combined with training.chunk_length"),
        ("training", {"num_seeds": 2}, "sparse cannot be combined with training.num_seeds"),
        ("data", {"reversed_pointers": True}, "sparse cannot be combined with data.reversed_pointers"),
    ],
)
def test_invalid_combinations_are_errors_before_any_work(tmp_path, section, values, message):
    config = config_of("sparse")
    config[section] = {**config[section], **values}
    with pytest.raises(ValueError, match=message):
        nar.train(config, tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("algorithm", ["insertion_sort", "floyd_warshall"])
def test_algorithms_without_neighbor_lists_are_errors(algorithm):
    config = {**config_of("sparse"), "algorithms": (algorithm,)}
    with pytest.raises(ValueError, match=f"{algorithm}: .*neighbor lists"):
        build_run(config)


@pytest.mark.slow
def test_own_graphs_of_many_nodes_are_read_without_a_matrix(dense):
    """A grid of 20,000 nodes, whose matrix would have 3.2 GB."""
    grid = nx.grid_2d_graph(100, 200)
    run = nar.load_run(dense.workdir.path, execution="sparse")
    tracemalloc.start()
    prediction = run.predict("bfs", A=grid, s=(3, 7), num_steps=2)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert prediction.outputs["pi"].shape == (20_000,) and peak < 5e8
    assert prediction.by_node("pi")[3, 7] in [(3, 7), *grid[3, 7]]
