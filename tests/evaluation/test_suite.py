"""The evaluation suite: exact match, correctness, hint scores, hidden states, sizes, families and seeds."""

import csv
import functools
import itertools

import every_kind
import jax
import networkx
import numpy as np
import pytest

import nar
from experiments.cli.by_task import parse_by_task, parse_numbers
from nar import ALGORITHMS
from nar.data import Transforms
from nar.evaluation import (
    CHECKERS,
    Case,
    Inference,
    exact_matches,
    find_metrics,
    make_cases,
    measure_cases,
    score_traces,
    summarize_cases,
    valid_answers,
)
from nar.evaluation.correctness.checkers import forest_weight, is_depth_first_forest, is_shortest_path_tree
from nar.evaluation.correctness.exact_match import ENTRY_MATCHERS
from nar.evaluation.decoding import join_permutations
from nar.evaluation.scores import hint_scores
from nar.evaluation.suite_files import as_json, dump, write_csv
from nar.model import Budget, Learned, NetConfig, make_model
from nar.processors import PGN
from nar.reports import evaluation_table
from nar.specs import MASKED, Kind, Stage

# ---------------------------------------------------------------------------------------------------
# Exact match


@pytest.mark.parametrize("kind", Kind)
def test_entry_matchers_cover_every_kind_and_ignore_masked_entries(kind):
    assert set(ENTRY_MATCHERS) == set(Kind)
    location = next(location for location, one in every_kind.PROBE_TYPES if one is kind)
    probe = every_kind.make_probe(Stage.OUTPUT, location, kind)
    random = np.random.default_rng(0)
    truth = every_kind.random_truth(random, probe, (50,), 5, masked=0.2)
    if kind is Kind.PERMUTATION_POINTER:
        truth = random.integers(0, 5, (50, 5))
    matches = ENTRY_MATCHERS[kind](truth, truth)
    assert matches.all() and len(matches) == 50
    other = every_kind.random_truth(random, probe, (50,), 5)
    if kind is Kind.PERMUTATION_POINTER:
        other = random.integers(0, 5, (50, 5))
    matches = ENTRY_MATCHERS[kind](truth, other)
    assert matches.any(axis=None) == (kind is not Kind.SCALAR) and not matches.all()
    if kind in (Kind.MASK, Kind.MASK_ONE, Kind.CATEGORICAL):
        masked = truth == MASKED
        assert masked.any()
        assert matches[masked if kind is Kind.MASK else masked.any(axis=-1)].all()


def truth_of(task, size, count, seed=0, **options):
    """Spec, inputs and outputs of a batch after transforms, and the outputs in the format of predictions."""
    algorithm = ALGORITHMS[task]
    batch = Transforms().apply(algorithm, nar.sample_traces(task, size, count, seed, **options))
    spec = Transforms().spec(algorithm)
    return spec, batch.inputs, batch.outputs, join_permutations(spec, batch.outputs)


@pytest.mark.parametrize("task", sorted(ALGORITHMS))
def test_exact_match_rejects_a_single_wrong_entry(task):
    size = max(6, ALGORITHMS[task].problem.min_size)
    spec, _, outputs, predicted = truth_of(task, size, 3)
    assert exact_matches(spec, outputs, predicted).tolist() == [True] * 3
    name = next(iter(probe.name for probe in spec.outputs if probe.name in predicted))
    wrong = {key: value.copy() for key, value in predicted.items()}
    if spec[name].kind in (Kind.POINTER, Kind.PERMUTATION_POINTER):
        wrong[name][1] = (wrong[name][1] + 1) % size
    elif spec[name].kind is Kind.MASK:
        wrong[name][1] = 1 - wrong[name][1]
    else:
        wrong[name][1] = np.roll(wrong[name][1], 1, axis=-1)
    assert exact_matches(spec, outputs, wrong).tolist() == [True, False, True]


# ---------------------------------------------------------------------------------------------------
# Correctness checkers


@pytest.mark.parametrize("task", sorted(CHECKERS))
def test_checkers_accept_the_algorithms_answers(task):
    for size, seed in ((4, 0), (5, 1), (9, 2), (16, 3)):
        spec, inputs, outputs, predicted = truth_of(task, size, 8, seed)
        assert valid_answers(task, spec, inputs, outputs, predicted).all()
    if "family" in ALGORITHMS[task].problem.options:
        spec, inputs, outputs, predicted = truth_of(task, 9, 8, family="grid")
        assert valid_answers(task, spec, inputs, outputs, predicted).all()


def test_valid_answers_is_none_without_a_checker():
    assert valid_answers("bridges", *truth_of("bridges", 6, 2)) is None


def random_weights(random, size, directed=True):
    """Random weights with few distinct values, so that ties are frequent; infinite where there is no edge."""
    weights = np.where(random.random((size, size)) < 0.6, random.integers(1, 4, (size, size)) / 2, np.inf)
    np.fill_diagonal(weights, np.inf)
    return weights if directed else _mirrored(weights)


def _mirrored(weights):
    upper = np.where(np.triu(np.ones_like(weights), 1) > 0, weights, np.inf)
    return np.minimum(upper, upper.T)


def graph_of(weights, kind=networkx.DiGraph):
    graph = kind()
    graph.add_nodes_from(range(len(weights)))
    graph.add_weighted_edges_from(
        (u, v, weights[u, v]) for u, v in np.argwhere(np.isfinite(weights)).tolist()
    )
    return graph


def all_parents(size):
    return (np.array(one) for one in itertools.product(range(size), repeat=size))


@pytest.mark.parametrize("seed", range(4))
def test_shortest_path_checker_agrees_with_brute_force(seed):
    weights = random_weights(np.random.default_rng(seed), 4)
    graph = graph_of(weights)
    distances = networkx.single_source_dijkstra_path_length(graph, 0)
    predecessors = {
        v: {
            u
            for u in graph.predecessors(v)
            if u in distances and distances[u] + weights[u, v] == distances[v]
        }
        for v in distances
        if v != 0
    }
    num_correct = 0
    for parents in all_parents(4):
        is_correct = all(
            parents[v] in predecessors[v] if v in predecessors else parents[v] == v for v in range(4)
        )
        assert is_shortest_path_tree(weights, 0, parents) == is_correct
        num_correct += is_correct
    assert num_correct == np.prod([len(one) for one in predecessors.values()], dtype=int)


def test_zero_weight_cycle_is_not_a_shortest_path_tree():
    weights = np.full((3, 3), np.inf)
    weights[0, 1] = weights[1, 2] = weights[2, 1] = 0.0
    assert is_shortest_path_tree(weights, 0, np.array([0, 0, 1]))
    assert not is_shortest_path_tree(weights, 0, np.array([0, 2, 1]))


def depth_first_forests(edges):
    """Every forest that depth-first search can produce, by trying all orders."""
    size, forests = len(edges), set()

    def search(stack, parents, visited):
        if stack:
            choices = [v for v in range(size) if edges[stack[-1], v] and v not in visited]
            if not choices:
                search(stack[:-1], parents, visited)
            for v in choices:
                search([*stack, v], {**parents, v: stack[-1]}, visited | {v})
            return
        rest = [v for v in range(size) if v not in visited]
        if not rest:
            forests.add(tuple(parents[v] for v in range(size)))
        for v in rest:
            search([v], {**parents, v: v}, visited | {v})

    search([], {}, frozenset())
    return forests


@pytest.mark.parametrize("seed", range(6))
def test_depth_first_forest_checker_agrees_with_brute_force(seed):
    random = np.random.default_rng(seed)
    edges = random.random((4, 4)) < 0.5
    if seed % 2:
        edges |= edges.T
    np.fill_diagonal(edges, False)
    forests = depth_first_forests(edges)
    for parents in all_parents(4):
        assert is_depth_first_forest(edges, parents) == (tuple(parents.tolist()) in forests)


def check(task, inputs, truth, predicted):
    return CHECKERS[task](inputs, truth, predicted)


def one_hot(node, size):
    return np.eye(size)[node]


@pytest.mark.parametrize("seed", range(4))
def test_spanning_tree_checkers_agree_with_brute_force(seed):
    weights = random_weights(np.random.default_rng(seed), 4, directed=False)
    inputs = {"A": np.where(np.isfinite(weights), weights, 0), "s": one_hot(1, 4)}
    graph = graph_of(weights, networkx.Graph)
    forest = networkx.minimum_spanning_tree(graph)
    best = forest.size("weight")
    assert forest_weight(weights) == pytest.approx(best)
    component = networkx.node_connected_component(graph, 1)
    best_in_component = networkx.minimum_spanning_tree(graph.subgraph(component)).size("weight")
    for parents in all_parents(4):
        pairs = [(int(parents[v]), v) for v in component if v != 1]
        is_correct = (
            parents[1] == 1
            and all(parents[v] == v for v in range(4) if v not in component)
            and all(np.isfinite(weights[pair]) for pair in pairs)
            and networkx.is_connected(networkx.Graph([*pairs, (1, 1)]))
            and set(networkx.Graph([*pairs, (1, 1)])) == component
            and sum(weights[pair] for pair in pairs) == best_in_component
        )
        assert check("mst_prim", inputs, {}, {"pi": parents}) == is_correct
    truth = np.zeros((4, 4))
    for u, v in forest.edges:
        truth[u, v] = truth[v, u] = 1
    pairs = list(itertools.combinations(range(4), 2))
    for bits in itertools.product([0, 1], repeat=6):
        selected = np.zeros((4, 4))
        for (u, v), bit in zip(pairs, bits, strict=True):
            selected[u, v] = selected[v, u] = bit
        edges = [pair for pair, bit in zip(pairs, bits, strict=True) if bit]
        tree = networkx.Graph(edges)
        tree.add_nodes_from(range(4))
        is_correct = (
            all(graph.has_edge(*edge) for edge in edges)
            and networkx.is_forest(tree)
            and len(edges) == len(forest.edges)
            and sum(weights[edge] for edge in edges) == best
        )
        assert check("mst_kruskal", inputs, {"in_mst": truth}, {"in_mst": selected}) == is_correct
    asymmetric = truth.copy()
    asymmetric[next(iter(forest.edges))] = 0
    assert not check("mst_kruskal", inputs, {"in_mst": truth}, {"in_mst": asymmetric})


def test_all_pairs_shortest_paths_are_checked_row_by_row():
    weights = random_weights(np.random.default_rng(3), 5)
    A = np.where(np.isfinite(weights), weights, 0)
    truth = nar.run_algorithm("floyd_warshall", A=A).outputs["Pi"]
    distances = dict(networkx.all_pairs_dijkstra_path_length(graph_of(weights)))
    num_ties = 0
    for i, j, k in itertools.product(range(5), repeat=3):
        pointers = truth.copy()
        pointers[i, j] = k
        same = k == truth[i, j]
        reached = i != j and j in distances[i]
        is_correct = same or (
            reached and k in distances[i] and distances[i][k] + weights[k, j] == distances[i][j]
        )
        assert check("floyd_warshall", {"A": A}, {"Pi": truth}, {"Pi": pointers}) == is_correct
        num_ties += is_correct and not same
    assert num_ties > 0


@pytest.mark.parametrize("task", ["insertion_sort", "quicksort", "heapsort", "bubble_sort"])
def test_sorting_checker_agrees_with_brute_force(task):
    keys = np.array([0.5, 0.2, 0.5, 0.1])
    orders = {order for order in itertools.permutations(range(4)) if (np.diff(keys[list(order)]) >= 0).all()}
    assert len(orders) == 2
    for predecessors in all_parents(4):
        chains = [
            order
            for order in itertools.permutations(range(4))
            if all(predecessors[b] == a for a, b in zip((order[0], *order), order, strict=False))
        ]
        is_correct = bool(set(chains) & orders)
        assert check(task, {"key": keys}, {}, {"pred": predecessors}) == is_correct


def test_topological_sort_checker_agrees_with_brute_force():
    edges = np.zeros((4, 4))
    edges[0, 1] = edges[0, 2] = edges[1, 3] = 1
    np.fill_diagonal(edges, 1)  # self-loops are ignored
    num_correct = 0
    for order in itertools.permutations(range(4)):
        after = np.arange(4)
        after[list(order[:-1])] = order[1:]
        predicted = {"topo": after, "topo_head": one_hot(order[0], 4)}
        position = {node: i for i, node in enumerate(order)}
        is_correct = position[0] < position[1] < position[3] and position[0] < position[2]
        assert check("topological_sort", {"A": edges}, {}, predicted) == is_correct
        num_correct += is_correct
        cycle = np.where(after == np.arange(4), order[0], after)
        assert not check("topological_sort", {"A": edges}, {}, {**predicted, "topo": cycle})
    assert num_correct == 3


def test_any_node_may_represent_its_component():
    truth = {"scc_id": np.array([0, 0, 2, 2])}
    answers = [
        tuple(ids.tolist())
        for ids in all_parents(4)
        if check("strongly_connected_components", {}, truth, {"scc_id": ids})
    ]
    assert sorted(answers) == [(0, 0, 2, 2), (0, 0, 3, 3), (1, 1, 2, 2), (1, 1, 3, 3)]


def test_any_node_with_the_selected_key_is_correct():
    keys = np.array([0.3, 0.1, 0.1, 0.9, 0.3])
    for name, task, expected in (("min", "minimum", {1, 2}), ("median", "quickselect", {0, 4})):
        accepted = {i for i in range(5) if check(task, {"key": keys}, {}, {name: one_hot(i, 5)})}
        assert accepted == expected


def test_activity_checker_agrees_with_brute_force():
    random = np.random.default_rng(0)
    starts = random.integers(0, 6, 6) / 6
    inputs = {"s": starts, "f": starts + random.integers(1, 4, 6) / 6}
    truth = nar.run_algorithm("activity_selector", **inputs).outputs

    def is_feasible(chosen):
        return all(
            inputs["f"][a] <= inputs["s"][b] or inputs["f"][b] <= inputs["s"][a]
            for a, b in itertools.combinations(chosen, 2)
        )

    subsets = [chosen for r in range(7) for chosen in itertools.combinations(range(6), r)]
    most = max(len(chosen) for chosen in subsets if is_feasible(chosen))
    num_correct = 0
    for chosen in subsets:
        selected = np.isin(np.arange(6), chosen).astype(float)
        is_correct = is_feasible(chosen) and len(chosen) == most
        assert check("activity_selector", inputs, truth, {"selected": selected}) == is_correct
        num_correct += is_correct
    assert num_correct > 1


def test_all_maximum_subarrays_are_correct():
    keys = np.array([1.0, -1.0, 2.0, -3.0, 2.0])
    truth = nar.run_algorithm("find_maximum_subarray_kadane", A=keys).outputs
    accepted = set()
    for start, end in itertools.product(range(5), repeat=2):
        predicted = {"start": one_hot(start, 5), "end": one_hot(end, 5)}
        if check("find_maximum_subarray_kadane", {"key": keys}, truth, predicted):
            accepted.add((start, end))
    assert accepted == {(0, 2), (2, 2), (4, 4)}


# ---------------------------------------------------------------------------------------------------
# Inference


@functools.cache
def network(task, **options):
    model = make_model(NetConfig(PGN, 8, **options), {task: Transforms().spec(ALGORITHMS[task])})
    batch = Transforms().apply(ALGORITHMS[task], nar.sample_traces(task, 5, 2, 0))
    return model, jax.jit(model.init)(jax.random.key(0), {task: batch})


@pytest.mark.slow
def test_inference_equals_the_predictor_for_every_capture():
    task = "minimum"
    model, params = network(task)
    traces = nar.sample_traces(task, 5, 5, seed=1)
    batch = Transforms().apply(ALGORITHMS[task], traces)
    predicted = Inference(model, Transforms(), 2).run_transformed(params, task, batch)
    for capture in ("outputs", "hints", "states"):
        result = Inference(model, Transforms(), 2, capture=capture).run(params, task, traces)
        for name, value in predicted.outputs.items():
            np.testing.assert_array_equal(result.outputs[name], value)
        np.testing.assert_array_equal(result.steps, predicted.steps)
        assert (result.states is not None) == (capture == "states")
        assert bool(result.hints) == (capture != "outputs")
    prediction = nar.evaluation.Predictor(model, params)(task, traces.inputs["key"][3])
    steps = prediction.steps
    assert result.steps[3] == steps and result.states.shape == (result.steps.max(), 5, 5, 8)
    for name, value in prediction.hints.items():
        np.testing.assert_array_equal(result.hints[name][:steps, 3], value[1:], err_msg=name)


def test_unknown_capture_raises_value_error():
    with pytest.raises(ValueError, match="unknown capture 'all'; known: outputs, hints, states"):
        Inference(network("bfs")[0], Transforms(), capture="all")


def test_hint_scores_ignore_traces_that_have_ended():
    model, params = network("heapsort")
    traces = nar.sample_traces("heapsort", 5, 6, seed=1)
    spec = Transforms().spec(ALGORITHMS["heapsort"])
    result = Inference(model, Transforms(), 6, capture="hints").run(params, "heapsort", traces)
    lengths = result.batch.lengths
    assert len(set(lengths)) > 1
    for name in result.hints:
        result.hints[name][:] = result.batch.hints[name][1:]
    perfect = hint_scores(result)
    assert set(perfect) == {probe.name for probe in spec.hints}
    assert all(values == [1.0] * (lengths.max() - 1) for values in perfect.values())
    last = int(lengths.max()) - 1
    alive = lengths - 1 >= last
    result.hints["parent"][last - 1, ~alive] = 4  # after their own last step
    result.hints["parent"][1] = (result.hints["parent"][1] + 1) % 5
    scores = hint_scores(result)["parent"]
    assert scores == [1.0, 0.0, *[1.0] * (last - 2)]


# ---------------------------------------------------------------------------------------------------
# The suite


def test_cases_combine_sizes_and_applicable_families():
    cases = make_cases(["bfs", "minimum"], [4, 5], ["clrs30", "grid"], has_own_lengths=False)
    assert [(case.task, case.size, case.family) for case in cases] == [
        ("bfs", 4, "clrs30"), ("bfs", 5, "clrs30"), ("bfs", 4, "grid"), ("bfs", 5, "grid"),
        ("minimum", 4, "clrs30"), ("minimum", 5, "clrs30"),
    ]  # fmt: skip
    both = make_cases(["bfs"], [4], ["clrs30"], has_own_lengths=True)
    assert {case.lengths for case in both} == {"own", "true"}
    for tasks, sizes, families, message in (
        (["bfs"], [0], ["clrs30"], "bfs: size must be"),
        (["bfs"], [4], ["gird"], "bfs: family must be one of .*gird"),
        (["minimum"], [4], ["grid"], "family 'grid': none of minimum is a graph problem"),
    ):
        with pytest.raises(ValueError, match=message):
            make_cases(tasks, sizes, families, has_own_lengths=False)


def test_sizes_and_families_can_differ_by_task():
    sizes, families = {"bfs": [4, 5], "minimum": [9]}, {"bfs": ["tree"], "minimum": ["clrs30"]}
    cases = make_cases(["bfs", "minimum"], sizes, families, has_own_lengths=False, graph_tasks=["bfs"])
    assert [(case.task, case.size, case.family) for case in cases] == [
        ("bfs", 4, "tree"), ("bfs", 5, "tree"), ("minimum", 9, "clrs30"),
    ]  # fmt: skip
    with pytest.raises(ValueError, match="minimum is not a graph problem"):
        make_cases(["bfs", "minimum"], [4], {**families, "minimum": ["grid"]}, False, graph_tasks=["minimum"])


def test_parse_by_task_accepts_shared_and_per_task_lists():
    tasks = ["bfs", "dfs", "minimum"]
    same = parse_by_task("sizes", "16, 32", tasks)
    assert [same.get(task) for task in tasks] == [("16", "32")] * 3 and same.tasks_with_values(tasks) == tasks
    alone = parse_by_task("sizes", "bfs:16,64;dfs:8", tasks)
    assert (alone.get("bfs"), alone.get("dfs"), alone.get("minimum")) == (("16", "64"), ("8",), ())
    assert alone.tasks_with_values(tasks) == ["bfs", "dfs"]
    rest = parse_by_task("sizes", "4; dfs:8", tasks)
    assert [rest.get(task) for task in tasks] == [("4",), ("8",), ("4",)]
    assert rest.tasks_with_values(tasks) == tasks
    assert parse_numbers("sizes", ["16", " 4 "]) == [16, 4]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("bsf:16", "--sizes: unknown task 'bsf'; known: bfs, dfs"),
        ("bfs:16;bfs:8", "two lists for bfs"),
        ("16;8", "two lists for the other tasks"),
        ("bfs:", "needs at least one size for bfs"),
        ("bfs:16;", "needs at least one size, got"),
        ("", "--sizes needs at least one size"),
    ],
)
def test_parse_by_task_rejects_malformed_lists(text, message):
    with pytest.raises(ValueError, match=message):
        parse_by_task("sizes", text, ["bfs", "dfs"])


@pytest.mark.parametrize(
    ("numbers", "message"),
    [(["x"], "whole numbers"), (["-4"], "whole"), (["4", "4"], "4 twice"), ([], "at least one")],
)
def test_parse_numbers_rejects_malformed_numbers(numbers, message):
    with pytest.raises(ValueError, match=message):
        parse_numbers("sizes", numbers)


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """Measurements of a network with learned termination on two seeds, and the folder of its dumps."""
    model, params = network("bfs", termination=Learned(Budget(1, 1.0), prior=0.3))
    folder = tmp_path_factory.mktemp("dump")
    inferences = {
        lengths: Inference(model, Transforms(), 32, capture="states", true_lengths=lengths == "true")
        for lengths in ("own", "true")
    }
    cases = make_cases(["bfs"], [5], ["clrs30", "tree"], has_own_lengths=True)
    metrics = find_metrics(["exact", "valid", "hint_score"], model.specs)
    measurements = list(
        measure_cases(
            inferences, params, cases, [3, 4], metrics, lambda *result: dump(folder, *result) and None
        )
    )
    return model, params, measurements, folder


def test_suite_scores_equal_those_of_score_traces(measured):
    model, params, measurements, _ = measured
    assert [(one.case.family, one.case.lengths, one.seed) for one in measurements] == [
        (family, lengths, seed)
        for family in ("clrs30", "tree")
        for lengths in ("own", "true")
        for seed in (3, 4)
    ]
    traces = nar.traces.clrs30_sample("bfs", 5, 32, 3)
    expected = score_traces(Inference(model, Transforms(), 32), params, "bfs", traces)
    own, true = measurements[0], measurements[2]
    assert {**own.scores, "steps": own.steps} == pytest.approx(expected)
    assert true.steps == pytest.approx(np.maximum(traces.lengths - 1, 1).mean())
    for one in measurements:
        assert one.instances == 32
        assert 0 <= one.metrics["exact"] <= one.metrics["valid"] <= 1
        assert one.metrics["hint_score"] == pytest.approx(np.mean([np.mean(x) for x in one.hints.values()]))
    assert len(measurements[2].hints["reach_h"]) == traces.lengths.max() - 1
    statistics = summarize_cases(measurements)[Case("bfs", 5, "tree", "true")]["score"]
    scores = [one.scores["score"] for one in measurements[6:]]
    assert (statistics.mean, statistics.deviation) == pytest.approx((np.mean(scores), np.std(scores, ddof=1)))


def test_measurements_are_written_as_json_csv_and_a_table(measured, tmp_path):
    _, _, measurements, _ = measured
    content = as_json(measurements)
    assert len(content["measurements"]) == 8 and len(content["summary"]) == 4
    assert content["measurements"][0]["scores"] == measurements[0].scores
    assert content["summary"][0]["metrics"]["valid"]["count"] == 2
    write_csv(tmp_path / "scores.csv", measurements)
    with (tmp_path / "scores.csv").open() as file:
        rows = list(csv.DictReader(file))
    scores = [float(row["value"]) for row in rows if row["quantity"] == "score"]
    assert scores == [one.scores["score"] for one in measurements]
    hints = [row for row in rows if row["quantity"] == "hint/pi_h" and row["seed"] == "4"]
    assert [int(row["step"]) for row in hints[:2]] == [1, 2]
    table = evaluation_table(summarize_cases(measurements)).splitlines()
    assert table[0].split()[:9] == [
        "algorithm",
        "n",
        "graphs",
        "lengths",
        "steps",
        "score",
        "95",
        "%",
        "exact",
    ]
    assert len(table) == 6 and table[2].startswith("bfs") and "±" in table[2]


def test_dump_has_the_arrays_of_every_step(measured):
    _, _, measurements, folder = measured
    assert len(list(folder.iterdir())) == 8
    with np.load(folder / "bfs_n5_clrs30_true_seed3.npz") as file:
        arrays = dict(file)
    steps = int(arrays["steps"].max())
    assert arrays["states"].shape == (steps, 32, 5, 8)
    assert arrays["predicted_hint/pi_h"].shape == (steps, 32, 5)
    assert arrays["hint/pi_h"].shape == (steps + 1, 32, 5)
    accuracy = (arrays["predicted_output/pi"] == arrays["output/pi"]).mean()
    assert accuracy == pytest.approx(measurements[2].scores["pi"])


def test_network_without_hints_has_no_hint_scores():
    spec = Transforms().spec(ALGORITHMS["minimum"])
    model = make_model(NetConfig(PGN, 8, hint_mode="none"), {"minimum": spec})
    traces = nar.sample_traces("minimum", 5, 2, 0)
    batch = Transforms().apply(ALGORITHMS["minimum"], traces)
    params = model.init(jax.random.key(0), {"minimum": batch})
    result = Inference(model, Transforms(), 2, capture="hints").run(params, "minimum", traces)
    assert result.hints == {} and hint_scores(result) == {}
