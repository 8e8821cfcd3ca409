"""From configs to tasks, without starting a script."""

import pytest

from configs import base
from experiments.assembly import assemble, check_keys, make_tasks
from nar.algorithms import ALGORITHMS
from nar.batches import Transforms


def task_of(name, **changes):
    data = {**base.get_config().to_dict()["data"], **changes}
    return make_tasks(name, data, Transforms())[0]


def test_recipe_of_ibarz_et_al():
    """arXiv 2209.11142: sizes and edge probabilities, and what is different for some algorithms."""
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


def test_what_a_user_sets_holds_for_exceptions_too():
    assert task_of("kmp_matcher", sizes=(32, 40)).sizes == (32, 40)
    assert task_of("bridges", problem={"p": 0.3}).problem_options == {"p": 0.3}
    stored = {"p": list(base.get_config().data.problem.p)}
    assert max(task_of("bridges", problem=stored).problem_options["p"]) == 0.45


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sizes": ()}, "at least one size"),
        ({"problem": {"q": 1}}, "data.problem.q: none of bfs has such an option; known: .*p"),
        ({"exceptions": {"bfs": {"size": 1}}}, "data.exceptions.bfs.size: known are sizes and problem"),
        ({"exceptions": {"bfs": {"sizes": (0,)}}}, "bfs: size must be"),
    ],
)
def test_bad_data(changes, message):
    with pytest.raises(ValueError, match=message):
        task_of("bfs", **changes)


def test_keys_are_those_of_the_base_config():
    known = base.get_config().to_dict()
    check_keys(known, known)
    with pytest.raises(
        ValueError, match=r"unknown config key model.hiden_size; did you mean model.hidden_size"
    ):
        check_keys({**known, "model": {**known["model"], "hiden_size": 1}}, known)
    with pytest.raises(ValueError, match=r"config key model has the wrong type: 3"):
        check_keys({**known, "model": 3}, known)
    with pytest.raises(ValueError, match=r"config key model.hidden_size is missing"):
        check_keys({**known, "model": {k: v for k, v in known["model"].items() if k != "hidden_size"}}, known)


def test_processor_options():
    config = base.get_config().to_dict()
    config["model"]["processor_options"] = {"num_triplet_features": 4}
    assemble(config)
    for processor in ("mpnn", "gmpnn"):
        config["model"]["processor"] = processor
        with pytest.raises(ValueError, match=f"processor_options of {processor}: .*num_triplet_features"):
            assemble(config)
