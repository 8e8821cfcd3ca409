"""The trace viewer: text for the terminal, HTML pages for a browser."""

import json
import pathlib
import re
import subprocess
import sys

import every_kind
import numpy as np
import pytest
from commands import ROOT, run
from hypothesis import given
from hypothesis import strategies as st

import nar
from nar.kinds import BUILT_IN_KINDS
from nar.problems import GRAPH_AND_SOURCE
from nar.reports import Layout, Run, trace_page, trace_text, write_page
from nar.reports.trace_viewer.drawing_plan import GLYPHS, colors, draw_plan
from nar.reports.trace_viewer.readable_values import READERS, format_number, rank, read
from nar.reports.trace_viewer.trace_text import FORMS
from nar.specs import MASKED, Kind, Stage
from nar.traces import Trace

WIDE = Layout(width=100_000)
NAMES = list(nar.ALGORITHMS)


def sample(name, size=8, index=0):
    """A trace of this size, or of the smallest size that the algorithm supports."""
    size = max(size, nar.ALGORITHMS[name].problem.min_size)
    return nar.sample_traces(name, size, 1, 1, first=index).trace(0)


def every_kind_trace(seed=0, num_nodes=5):
    return every_kind.random_batch(seed, num_nodes=num_nodes, masked=0.3).trace(0)


def changed_places(probe, hints, step):
    """Indices of the readable entries that differ from the previous step, computed from the raw values."""
    now, before = hints[probe.name][step], hints[probe.name][step - 1]
    differs = now != before
    if differs.ndim > rank(probe):
        differs = np.any(read(probe, now)[..., None] != read(probe, before)[..., None], axis=-1)
    return {tuple(index) for index in np.argwhere(differs).tolist()}


# ---------------------------------------------------------------------------------------------------
# Tables


@pytest.mark.parametrize("table", [GLYPHS, FORMS], ids=["GLYPHS", "FORMS"])
def test_drawing_tables_cover_every_location_and_kind(table):
    # The table also has entries of the custom kinds that modules of other tests have registered on import.
    built_in = {(location, kind) for location, kind in table if kind in BUILT_IN_KINDS}
    assert built_in == set(every_kind.ALL_PROBE_TYPES)


def test_readers_cover_every_kind():
    assert set(READERS) >= set(BUILT_IN_KINDS)


def expand(probe, reading, shape):
    """Inverts `read`; MASKED is in the last class, as `nar.traces` records it."""
    if READERS[probe.kind] is READERS[Kind.SCALAR]:
        return reading
    num_classes = shape[-1]
    hot = (reading % num_classes)[..., None] == np.arange(num_classes)
    return np.where(reading[..., None] == MASKED, -1, 1) * hot


@pytest.mark.parametrize("name", NAMES)
def test_readable_values_lose_no_information(name):
    spec, trace = nar.ALGORITHMS[name].spec, sample(name)
    for probe in spec.values():
        value = {**trace.inputs, **trace.hints, **trace.outputs}[probe.name]
        reading = read(probe, value)
        assert reading.ndim == rank(probe) + probe.stage.is_per_step
        np.testing.assert_array_equal(expand(probe, reading, np.shape(value)), value)


def test_masked_vectors_read_as_none():
    probe = every_kind.make_probe(
        Stage.HINT, *next(p for p in every_kind.PROBE_TYPES if p[1] is Kind.CATEGORICAL)
    )
    vectors = np.array([[0, 1, 0], [0, 0, MASKED], [MASKED] * 3, [0, 0, 0]])
    assert read(probe, vectors).tolist() == [1, MASKED, MASKED, MASKED]


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (-0.0, "0"), (7, "7"), (0.125, "0.125"), (41.26, "41.3"), (1250, "1250"), (-1 / 3, "-0.333")],
)
def test_format_number_has_about_three_digits(value, text):
    assert format_number(value) == text


# ---------------------------------------------------------------------------------------------------
# Text


def step_blocks(text):
    """The lines of each step."""
    blocks = re.split(r"\n\n(?=step |outputs)", text)[1:-1]
    return [block.splitlines()[1:] for block in blocks]


def marked(lines, spec):
    """{probe name: indices marked as changed} in the lines of a step, and the names that are marked."""
    indices = {probe.name: set() for probe in spec.per_step}
    names, current = set(), None
    for line in lines:
        for name in re.findall(r"(\w+) = \S+\*", line):
            indices[name].add(())
        for i, j in re.findall(r"\((\d+),(\d+)\) \S+ → \S+\*", line):
            indices[current].add((int(i), int(j)))
        first, *cells = line.removeprefix("*").split()
        if first in indices and cells[:1] != ["="]:
            current = first
            indices[first] |= {(i,) for i, cell in enumerate(cells) if "*" in cell}
            names |= {first} if line.startswith("*") else set()
    return indices, names


@given(st.sampled_from(NAMES), st.integers(2, 9), st.integers(0, 50))
def test_text_marks_exactly_the_changed_entries(name, size, index):
    check_marks(nar.ALGORITHMS[name].spec, sample(name, size, index))


@given(st.integers(0, 1000), st.integers(1, 4))
def test_text_marks_exactly_the_changed_entries_of_every_kind(seed, num_nodes):
    check_marks(every_kind.SPEC, every_kind_trace(seed, num_nodes))


def check_marks(spec, trace):
    blocks = step_blocks(trace_text(spec, trace, WIDE))
    assert len(blocks) == trace.length
    for step, lines in enumerate(blocks):
        expected = {p.name: changed_places(p, trace.hints, step) if step else set() for p in spec.per_step}
        indices, names = marked(lines, spec)
        assert indices == expected
        assert names == {name for name, changed in expected.items() if changed and rank(spec[name])}


@pytest.mark.parametrize("name", NAMES)
def test_text_shows_the_values(name):
    spec, trace = nar.ALGORITHMS[name].spec, sample(name)
    block = step_blocks(trace_text(spec, trace, WIDE))[-1]
    rows = {line.lstrip("* ").split()[0]: line.lstrip("* ").split()[1:] for line in block if line.strip()}
    for probe in spec.hints:
        if rank(probe) == 1 and probe.kind in (Kind.MASK, Kind.POINTER, Kind.SCALAR):
            last = trace.hints[probe.name][-1]
            cells = [cell.rstrip("*") for cell in rows[probe.name]]
            assert cells == [expected_cell(probe, value, node) for node, value in enumerate(last)]


def expected_cell(probe, value, node):
    if probe.kind is Kind.SCALAR:
        return format_number(value)
    if probe.kind is Kind.MASK:
        return "■" if value else "·"
    return "↺" if value == node else f"→{value}"


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [2, 16])
def test_text_fits_the_width(name, size):
    trace = sample(name, size)
    for width in (40, 150):
        text = trace_text(nar.ALGORITHMS[name].spec, trace, Layout(width))
        assert max(map(len, text.splitlines())) <= width


def test_changed_columns_are_not_left_out():
    spec, trace = nar.ALGORITHMS["insertion_sort"].spec, sample("insertion_sort", 64)
    for step, lines in enumerate(step_blocks(trace_text(spec, trace, Layout(60)))):
        expected = changed_places(spec["pred_h"], trace.hints, step) if step else set()
        row = next(line for line in lines if re.match(r"[* ] pred_h", line))
        assert row.count("*") == len(expected) + bool(expected)


@pytest.mark.parametrize("name", NAMES)
def test_color_replaces_marks(name):
    spec, trace = nar.ALGORITHMS[name].spec, sample(name)
    colored = trace_text(spec, trace, Layout(100_000, color=True))
    assert "*" not in colored
    plain = trace_text(spec, trace, WIDE)
    changed = re.findall(r"\x1b\[1;33m(.*?)\x1b\[0m", colored)
    assert len(changed) == plain.count("*")
    assert re.sub(r"\x1b\[[0-9;]*m|\s", "", colored) == re.sub(r"[*\s]", "", plain)


# ---------------------------------------------------------------------------------------------------
# Page


def payload_of(page):
    payloads = re.findall(r'<script type="application/json" id="payload">(.*?)</script>', page, re.DOTALL)
    assert len(payloads) == 1
    return json.loads(payloads[0])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [2, 8])
def test_page_contains_the_trace(name, size):
    algorithm, trace = nar.ALGORITHMS[name], sample(name, size)
    payload = payload_of(trace_page(algorithm, [Run(name, trace)], "a subtitle"))
    (run,) = payload["runs"]
    assert (payload["title"], payload["subtitle"], run["steps"]) == (name, "a subtitle", trace.length)
    assert [probe["name"] for probe in payload["probes"]] == list(algorithm.spec)
    for probe_name, probe in algorithm.spec.items():
        value = {**trace.inputs, **trace.hints, **trace.outputs}[probe_name]
        np.testing.assert_array_equal(np.array(run["values"][probe_name]), read(probe, value))


@pytest.mark.parametrize("name", NAMES)
def test_page_is_self_contained(name):
    page = trace_page(nar.ALGORITHMS[name], [Run(name, sample(name))])
    assert not re.search(r"https?:|\bsrc=|\bhref=|@import|url\(|{{", page)
    assert page.count("<script") == page.count("</script>") == 2


def test_labels_cannot_end_the_script():
    trace = every_kind_trace()
    page = trace_page(nar.ALGORITHMS["bfs"], [Run("</script><b>", trace)], "<!--", spec=every_kind.SPEC)
    assert page.count("</script>") == 2
    assert payload_of(page)["runs"][0]["label"] == "</script><b>"


def test_non_finite_numbers_become_strings():
    trace = sample("bellman_ford", 4)
    d = np.array(trace.hints["d"])
    d[0, :3] = np.nan, np.inf, -np.inf
    trace = Trace(trace.inputs, {**trace.hints, "d": d}, trace.outputs)
    page = trace_page(nar.ALGORITHMS["bellman_ford"], [Run("x", trace)])
    assert payload_of(page)["runs"][0]["values"]["d"][0][:3] == ["nan", "inf", "-inf"]


SHAPES = {
    "bfs": "circle",
    "bellman_ford": "circle",
    "segments_intersect": "plane",
    "lcs_length": "rows",
    "heapsort": "row",
    "task_scheduling": "row",
    "matrix_chain_order": "row",
}


@pytest.mark.parametrize("name", SHAPES)
def test_node_layout_follows_from_the_inputs(name):
    assert draw_plan(name, nar.ALGORITHMS[name].spec, sample(name))["shape"] == SHAPES[name]


def test_lines_are_the_edges_with_weights_and_direction():
    A = np.array([[1.0, 0.5, 0], [0.5, 0, 0.25], [0, 0.25, 0]])
    trace = nar.run_algorithm("bellman_ford", A, 0)
    plan = draw_plan("bellman_ford", nar.ALGORITHMS["bellman_ford"].spec, trace)
    assert (plan["lines"], plan["directed"]) == ([[0, 1, 0.5], [1, 2, 0.25]], False)
    A[2, 1] = 0
    plan = draw_plan(
        "bellman_ford", nar.ALGORITHMS["bellman_ford"].spec, nar.run_algorithm("bellman_ford", A, 0)
    )
    assert (plan["lines"], plan["directed"]) == ([[0, 1, 0.5], [1, 0, 0.5], [1, 2, 0.25]], True)


def test_hint_shares_the_color_of_its_output():
    numbers = colors(nar.ALGORITHMS["bfs"].spec)
    assert numbers["pi"] == numbers["pi_h"]
    assert len(set(numbers.values())) == len(numbers) - 1


# ---------------------------------------------------------------------------------------------------
# Files and the command line


def test_failed_write_keeps_the_old_page(tmp_path, monkeypatch):
    path = tmp_path / "trace.html"
    write_page(path, "old")
    assert path.read_text() == "old"

    def fail(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pathlib.Path, "replace", fail)
    with pytest.raises(OSError, match="cannot write .*trace.html: No space left"):
        write_page(path, "new")
    assert [(each.name, each.read_text()) for each in tmp_path.iterdir()] == [("trace.html", "old")]


def test_show_prints_a_trace():
    code, output, errors = run("show", "--algorithm=bfs", "--size=6", "--seed=3", "--index=2", "--p=0.3")
    assert (code, errors) == (0, "")
    trace = nar.sample_traces("bfs", 6, 1, 3, first=2, p=0.3).trace(0)
    assert "bfs · size 6 · seed 3 · trace 2 · p = 0.3" in output
    assert output.endswith(trace_text(nar.ALGORITHMS["bfs"].spec, trace, Layout(100)) + "\n")


def test_show_writes_a_page(tmp_path):
    path = tmp_path / "trace.html"
    code, output, errors = run("show", "--algorithm=insertion_sort", f"--output={path}")
    assert (code, output, errors) == (0, f"Written: {path}\n", "")
    assert path.read_text(encoding="utf-8") == trace_page(
        nar.ALGORITHMS["insertion_sort"],
        [Run("insertion_sort", sample("insertion_sort"))],
        "size 8 · seed 1 · trace 0",
    )
    assert [each.name for each in tmp_path.iterdir()] == ["trace.html"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "--algorithm"),
        (["--algorithm=bsf"], "unknown algorithm 'bsf'; known: "),
        (["--algorithm=bfs", "--size=0"], "bfs: size must be an integer from 1 to"),
        (["--algorithm=lcs_length", "--size=1"], "lcs_length: size must be an integer from 2 to"),
        (["--algorithm=heapsort", "--p=0.5"], "heapsort: unknown problem option 'p'; known: low, high"),
        (["--algorithm=bfs", "--p=often"], "p must lie between 0 and 1, got 'often'"),
        (["--algorithm=bfs", "--q=1"], "Unknown command line flag 'q'"),
        (["--algorithm=bfs", "--index=-1"], "--index=-1"),
        (["--algorithm=bfs", "--output=no/such/folder/x.html"], "cannot write no/such/folder/x.html"),
        (["--algorithm=bfs", "--output="], "flag --output=: '' is not a path"),
        (["--algorithm=bfs", "--output=tests"], "tests is a directory, not a regular file"),
    ],
)
def test_invalid_flags_end_in_a_one_line_error(arguments, message):
    code, output, errors = run("show", *arguments)
    assert code != 0
    assert message in errors + output
    assert "Traceback" not in errors
    assert not list(ROOT.glob(".tests.*"))


@pytest.mark.slow
def test_show_does_not_import_jax():
    check = "import sys, experiments.show; sys.exit('jax' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], cwd=ROOT, check=False).returncode == 0


@pytest.mark.slow
def test_show_tolerates_a_closed_pipe():
    command = f"{sys.executable} -m experiments.show --algorithm=heapsort --size=32 | head -n 1"
    done = subprocess.run(command, cwd=ROOT, shell=True, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("heapsort · size 32 · seed 1 · trace 0\n", "")


def test_every_problem_option_is_a_flag():
    _, output, _ = run("show", "--help")
    for option in GRAPH_AND_SOURCE.options:
        assert f"--{option}: Problem option of" in output
