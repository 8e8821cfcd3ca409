"""Outputs of the algorithms on sequences, strings and points, against independent references."""

import itertools
from functools import cache

import numpy as np
import pytest
from examples import NUM_EXAMPLES
from hypothesis import given
from hypothesis import strategies as st
from test_algorithms import keys, order_of, strings

import nar
from nar.algorithms.divide_and_conquer.find_maximum_subarray import RIGHT
from nar.algorithms.strings.kmp_matcher import MATCH


def node(one_hot):
    """Node marked by a one-hot vector, or by each of a batch of them."""
    return np.asarray(one_hot).argmax(-1)


# ---------------------------------------------------------------------------------------------------
# Sorting and searching


@given(keys)
def test_bubble_sort(A):
    trace = nar.run_algorithm("bubble_sort", A)
    order = order_of(trace.outputs["pred"])
    assert order == np.argsort(A, kind="stable").tolist()
    assert trace.length == 1 + len(A) * (len(A) - 1) // 2
    last_of_pass = np.cumsum(range(len(A) - 1, 0, -1))
    for i, step in enumerate(last_of_pass):
        assert order_of(trace.hints["pred_h"][step])[: i + 1] == order[: i + 1]


def plain_rounds(A):
    """The orders after each round, with lists alone: a round sorts the pairs that start at even or odd."""
    order, orders = list(range(len(A))), []
    for number in range(len(A)):
        first, rest = order[: number % 2], order[number % 2 :]
        pairs = [sorted(rest[i : i + 2], key=lambda k: A[k]) for i in range(0, len(rest), 2)]
        order = first + [node for pair in pairs for node in pair]
        orders.append(order)
    return orders


def check_transposition_sort(A):
    trace, orders = nar.run_algorithm("odd_even_transposition_sort", A), plain_rounds(A)
    n = len(A)
    assert order_of(trace.outputs["pred"]) == np.argsort(A, kind="stable").tolist()
    assert trace.length == n + 1
    assert trace.hints["is_odd"].tolist() == [step % 2 for step in range(n + 1)]
    before = list(range(n))
    for step in range(n + 1):
        order = orders[step - 1] if step else before
        assert order_of(trace.hints["pred_h"][step]) == order
        moved = [k for k in range(n) if order[k] != before[k]]
        pairs = {(before[k], order[k]) for k in moved}
        assert {(i, j) for i, j in zip(*np.nonzero(trace.hints["swapped"][step]), strict=True)} == pairs
        before = order


@given(keys)
def test_odd_even_transposition_sort(A):
    check_transposition_sort(A)


@pytest.mark.parametrize("n", range(1, 6))
def test_odd_even_transposition_sort_sorts_every_order(n):
    """All orders, and all arrays of two keys, by which a network of comparisons that sorts them sorts all."""
    for A in itertools.chain(itertools.permutations(range(n)), itertools.product((0, 1), repeat=n)):
        check_transposition_sort(np.array(A, float))


@given(keys)
def test_quicksort(A):
    trace = nar.run_algorithm("quicksort", A)
    assert [A[i] for i in order_of(trace.outputs["pred"])] == sorted(A)
    for step in range(trace.length):
        order = order_of(trace.hints["pred_h"][step])
        p, r, i, j = (order.index(node(trace.hints[name][step])) for name in "prij")
        assert p <= i <= r
        assert p <= j <= r
        pivot = A[order[i if j == r else r]]
        assert all(A[k] <= pivot for k in order[p:i])
        assert all(A[k] > pivot for k in order[i + (j == r) : j + 1])


@given(keys)
def test_quickselect(A):
    trace = nar.run_algorithm("quickselect", A)
    assert A[node(trace.outputs["median"])] == sorted(A)[len(A) // 2]


@given(keys, st.floats(-1e99, 1e99) | st.sampled_from([-1.5, 0.0, 0.5, 1.0, 2.0]))
def test_binary_search(A, x):
    A = sorted(A)
    trace = nar.run_algorithm("binary_search", x, A)
    assert node(trace.outputs["return"]) == min(np.searchsorted(A, x, side="left"), len(A) - 1)
    assert trace.length <= 1 + np.ceil(np.log2(len(A)))
    low, high, mid = (node(trace.hints[name]) for name in ("low", "high", "mid"))
    assert (low <= mid).all()
    assert (mid <= high).all()
    assert low[-1] == high[-1]


@pytest.mark.parametrize("name", ["binary_search", "parallel_search"])
def test_searches_find_every_key_and_gap(name):
    for n in range(1, 20):
        for k in range(-1, 2 * n + 1):
            trace = nar.run_algorithm(name, x=k / 2, A=np.arange(n))
            assert node(trace.outputs["return"]) == min(max(0, (k + 1) // 2), n - 1)


@given(keys, st.floats(-1e99, 1e99) | st.sampled_from([-1.5, 0.0, 0.5, 1.0, 2.0]))
def test_parallel_search(A, x):
    A = sorted(A)
    trace = nar.run_algorithm("parallel_search", x, A)
    first = next((i for i in range(len(A)) if A[i] >= x), len(A) - 1)
    assert node(trace.outputs["return"]) == first
    assert node(trace.outputs["return"]) == node(nar.run_algorithm("binary_search", x, A).outputs["return"])
    assert trace.length == 2
    assert trace.hints["is_less"].tolist() == [[0] * len(A), [int(key < x) for key in A]]


# ---------------------------------------------------------------------------------------------------
# Subarrays

small_integers = st.lists(st.integers(-4, 4), min_size=1, max_size=14)


@pytest.mark.parametrize("name", ["find_maximum_subarray", "find_maximum_subarray_kadane"])
@given(A=small_integers | st.lists(st.integers(-3, 3).map(lambda k: k * 2.0**300), min_size=1, max_size=9))
def test_find_maximum_subarray(name, A):
    trace = nar.run_algorithm(name, A)
    start, end = node(trace.outputs["start"]), node(trace.outputs["end"])
    assert start <= end
    n = len(A)
    assert sum(A[start : end + 1]) == max(
        sum(A[low : high + 1]) for low in range(n) for high in range(low, n)
    )


@given(small_integers)
def test_kadane_hints_track_the_best_subarray(A):
    hints = nar.run_algorithm("find_maximum_subarray_kadane", A).hints
    for j in range(len(A)):
        assert node(hints["j"][j]) == j
        assert hints["sum"][j] == sum(A[node(hints["i"][j]) : j + 1])
        assert hints["sum"][j] == max(sum(A[low : j + 1]) for low in range(j + 1))
        assert hints["best_sum"][j] == max(hints["sum"][: j + 1])


@given(small_integers)
def test_every_recursive_call_returns_its_maximum_subarray(A):
    hints = nar.run_algorithm("find_maximum_subarray", A).hints
    low, high = node(hints["low"]), node(hints["high"])
    for step in np.flatnonzero(hints["ret_sum"]):
        first, last = node(hints["ret_low"][step]), node(hints["ret_high"][step])
        assert low[step] <= first <= last <= high[step]
        assert hints["ret_sum"][step] == pytest.approx(sum(A[first : last + 1]))
        ranges = itertools.combinations_with_replacement(range(low[step], high[step] + 1), 2)
        assert hints["ret_sum"][step] == pytest.approx(max(sum(A[i : j + 1]) for i, j in ranges))
    for step in np.flatnonzero(node(hints["phase"]) == RIGHT):
        assert hints["left_sum"][step] == hints["left_x_sum"][step]
        assert hints["right_sum"][step] == hints["right_x_sum"][step]


# ---------------------------------------------------------------------------------------------------
# Search trees and activities


@given(st.data())
def test_optimal_bst(data):
    n = data.draw(st.integers(1, 7))
    p = data.draw(st.lists(st.integers(0, 5), min_size=n, max_size=n))
    q = data.draw(st.lists(st.integers(0, 5), min_size=n + 1, max_size=n + 1))

    @cache
    def cost(i, j):
        """Least expected search cost of a tree of keys i ... j-1."""
        if i == j:
            return q[i]
        weight = sum(p[i:j]) + sum(q[i : j + 1])
        return weight + min(cost(i, r) + cost(r + 1, j) for r in range(i, j))

    def cost_of_tree(i, j, depth):
        """Expected search cost of the tree that the output describes."""
        if i == j:
            return q[i] * depth
        r = root[i, j]
        assert i <= r < j
        return p[r] * depth + cost_of_tree(i, r, depth + 1) + cost_of_tree(r + 1, j, depth + 1)

    trace = nar.run_algorithm("optimal_bst", p, q)
    root, e, msk = trace.outputs["root"], trace.hints["e"], trace.hints["msk"]
    assert trace.length == n + 1
    assert cost_of_tree(0, n, 1) == cost(0, n)
    for step, (i, j) in itertools.product(range(n + 1), itertools.product(range(n + 1), repeat=2)):
        known = 0 <= j - i <= step
        assert msk[step, i, j] == known
        assert e[step, i, j] == (cost(i, j) if known else 0)


@st.composite
def activities(draw):
    num = draw(st.integers(1, 8))
    s = draw(st.lists(st.integers(0, 9), min_size=num, max_size=num))
    lengths = draw(st.lists(st.integers(1, 5), min_size=num, max_size=num))
    return s, [start + length for start, length in zip(s, lengths, strict=True)]


@given(activities())
def test_activity_selector(instance):
    s, f = instance
    trace = nar.run_algorithm("activity_selector", s, f)

    @cache
    def max_count(time):
        """Maximum number of compatible activities that start at or after a time."""
        return max((1 + max_count(end) for start, end in zip(s, f, strict=True) if start >= time), default=0)

    selected = np.flatnonzero(trace.outputs["selected"])
    assert len(selected) == max_count(0)
    for one, other in itertools.combinations(selected, 2):
        assert f[one] <= s[other] or f[other] <= s[one]
    by_finish = np.argsort(f, kind="stable")
    assert node(trace.hints["m"]).tolist() == [0, *by_finish]
    np.testing.assert_array_equal(trace.hints["selected_h"][-1], trace.outputs["selected"])


# ---------------------------------------------------------------------------------------------------
# Strings

every_matcher = pytest.mark.parametrize("name", ["naive_string_matcher", "kmp_matcher"])


def match_of(name, T, P):
    """Index in T of the match that the algorithm outputs; -1 if there is none."""
    match = node(nar.run_algorithm(name, T, P).outputs["match"])
    return -1 if match == len(T) else match


@every_matcher
@given(T=st.text("AB", min_size=1, max_size=14), P=st.text("AB", min_size=1, max_size=5))
def test_matchers_on_a_binary_alphabet(name, T, P):
    if len(P) <= len(T):
        assert match_of(name, T, P) == T.find(P)


@every_matcher
@given(T=strings, P=strings)
def test_matchers(name, T, P):
    if len(P) <= len(T):
        assert match_of(name, T, P) == T.find(P)


@every_matcher
@pytest.mark.parametrize("m", range(1, 8))
def test_matchers_find_the_needle_at_every_position(name, m):
    for s in range(8):
        for needle in ("A" * m, "A" * (m - 1) + "B", ("AB" * m)[:m]):
            T = "C" * s + needle + "D" * (7 - s)
            assert match_of(name, T, needle) == s
            assert match_of(name, T, "D" * m) in (s + m, -1)


@given(st.text("AB", min_size=1, max_size=9))
def test_prefix_function(P):
    hints = nar.run_algorithm("kmp_matcher", P, P).hints
    n = len(P)
    last = node(hints["k"][-1]) - n  # of the longest prefix; the others are in pi
    pi, is_reset = hints["pi"][-1][n:] - n, hints["is_reset"][-1][n:]
    for q in range(n):
        longest = max(k for k in range(q + 1) if P[:k] == P[q + 1 - k : q + 1])
        assert is_reset[q] == (longest == 0)
        assert pi[q] == max(longest - 1, 0)
    assert last == pi[-1]


@given(st.text("AB", min_size=1, max_size=14), st.text("AB", min_size=1, max_size=5))
def test_kmp_matcher_scans_the_text_once(T, P):
    if len(P) > len(T):
        return
    trace = nar.run_algorithm("kmp_matcher", T, P)
    indices = node(trace.hints["i"])[trace.hints["phase"] == MATCH]
    assert (np.diff(indices) >= 0).all()
    assert trace.length <= 2 * (len(T) + len(P))
    for s, i in zip(node(trace.hints["s"]), node(trace.hints["i"]), strict=True):
        assert s == max(0, i - len(P) + 1)


# ---------------------------------------------------------------------------------------------------
# Convex hulls

every_hull = pytest.mark.parametrize("name", ["graham_scan", "jarvis_march"])


def is_hull_vertex(points, i):
    """Tests if point i is a vertex of the convex hull: it sees all others within an angle of less than 180°.

    Exact for small integers.
    """
    others = [(x - points[i][0], y - points[i][1]) for x, y in points[:i] + points[i + 1 :]]
    return not others or any(
        all(ax * by - ay * bx > 0 or (ax * by == ay * bx and ax * bx + ay * by > 0) for bx, by in others)
        for ax, ay in others
    )


integer_points = st.integers(1, 6).flatmap(
    lambda width: st.lists(
        st.tuples(st.integers(-width, width), st.integers(-width, width)), min_size=1, max_size=9, unique=True
    )
)


@every_hull
@given(points=integer_points)
def test_hull_of_grid_points(name, points):
    """Collinear points inside an edge of the hull are not in the output."""
    trace = nar.run_algorithm(name, *np.transpose(points))
    assert trace.outputs["in_hull"].tolist() == [is_hull_vertex(points, i) for i in range(len(points))]


@every_hull
@pytest.mark.parametrize("size", [3, 4, 7, 16, pytest.param(64, marks=pytest.mark.slow)])
def test_hull_of_sampled_points(name, size):
    spatial = pytest.importorskip("scipy.spatial")
    batch = nar.sample_traces(name, size, NUM_EXAMPLES, seed=0)
    for x, y, in_hull in zip(batch.inputs["x"], batch.inputs["y"], batch.outputs["in_hull"], strict=True):
        hull = spatial.ConvexHull(np.stack([x, y], axis=1))
        assert np.flatnonzero(in_hull).tolist() == sorted(hull.vertices.tolist())


@every_hull
@given(points=integer_points, scale=st.sampled_from([0.1, 1 / 3, 1e90, 1e-40]))
def test_hull_of_scaled_points(name, points, scale):
    """Either rounding would decide an orientation, which raises, or the hull is exactly right."""
    scaled = np.transpose(points) * scale
    try:
        in_hull = nar.run_algorithm(name, *scaled).outputs["in_hull"]
    except ValueError as error:
        assert "rounding decides" in str(error)  # noqa: PT017
    else:
        assert in_hull.tolist() == [is_hull_vertex(points, i) for i in range(len(points))]


@every_hull
def test_almost_collinear_points_raise(name):
    x = np.arange(12) / 3
    with pytest.raises(
        ValueError, match=f"{name}: points .* are so close to collinear that rounding decides"
    ):
        nar.run_algorithm(name, x, 0.1 * x)


@given(integer_points)
def test_jarvis_march_visits_each_hull_point_once(points):
    trace = nar.run_algorithm("jarvis_march", *np.transpose(points))
    corners = int(trace.outputs["in_hull"].sum())
    assert trace.length == 1 + corners * (len(points) + 1)


@given(integer_points)
def test_graham_scan_stack_matches_in_hull(points):
    trace = nar.run_algorithm("graham_scan", *np.transpose(points))
    for step in range(1, trace.length):
        top, prev = node(trace.hints["last_stack"][step]), trace.hints["stack_prev"][step]
        stack = [int(top)]
        while prev[stack[-1]] != stack[-1]:
            stack.append(int(prev[stack[-1]]))
        assert stack[-1] == node(trace.hints["best"][step])
        assert sorted(stack) == np.flatnonzero(trace.hints["in_hull_h"][step]).tolist()
