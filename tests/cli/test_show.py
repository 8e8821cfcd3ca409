"""Comparison of predictions with a trace, and a report of a trained run, from the command line."""

import json
import pathlib
import re

import every_kind
import numpy as np
import pytest
from commands import run

import nar
from nar.evaluation.correctness.exact_match import ENTRY_MATCHERS
from nar.reports import Layout, Run, diff_text
from nar.reports.trace_viewer.compare import compare_traces, totals
from nar.reports.trace_viewer.page import page_content
from nar.specs import Kind, Stage
from nar.traces import Trace

ROOT = pathlib.Path(__file__).parents[2]
WIDE = Layout(width=100_000)

TINY = (
    "--config.model.hidden_size=8",
    "--config.data.sizes=(4,)",
    "--config.training.batch_size=4",
    "--config.training.steps=20",
    "--config.training.log_every=5",
    "--config.training.eval_every=10",
)


def make_pair(steps=(4, 4)):
    """Two random traces with a probe of every location and kind; the second has no masked entries."""
    return [
        every_kind.random_batch(1 + k, num_nodes=5, num_steps=count, masked=masked).trace(0)
        for k, (count, masked) in enumerate(zip(steps, (0.2, 0.0), strict=True))
    ]


# ---------------------------------------------------------------------------------------------------
# Comparison of traces


def test_a_trace_matches_itself():
    truth, _ = make_pair()
    for name, one in compare_traces(every_kind.SPEC, truth, truth).items():
        assert not one.wrong.any(), name
        np.testing.assert_array_equal(one.right, one.total)


def test_wrong_output_entries_agree_with_evaluation():
    truth, other = make_pair()
    comparison = compare_traces(every_kind.SPEC, truth, other)
    for probe in every_kind.SPEC.outputs:
        if probe.kind not in (Kind.SCALAR, Kind.PERMUTATION_POINTER):
            right = ENTRY_MATCHERS[probe.kind](truth.outputs[probe.name], other.outputs[probe.name])
            one = comparison[probe.name]
            np.testing.assert_array_equal(one.wrong, ~right, probe.name)
            assert one.right + one.wrong.sum() == one.total <= right.size, probe.name


def test_scalars_match_within_a_tenth_and_masked_entries_are_ignored():
    spec = nar.ALGORITHMS["bellman_ford"].spec
    truth = nar.sample_traces("bellman_ford", 8, 1, 1).trace(0)
    other = {name: value.copy() for name, value in truth.hints.items()}
    other["d"][1] += [0.05, 0.2, *[0] * 6]
    one = compare_traces(spec, truth, Trace(truth.inputs, other, truth.outputs))["d"]
    assert np.flatnonzero(one.wrong[1]).tolist() == [1] and not one.wrong[[0, 2]].any()
    assert one.right.tolist()[:3] == [8, 7, 8]
    color = next(p.name for p in nar.ALGORITHMS["dfs"].spec.hints if p.kind is Kind.CATEGORICAL)
    dfs = nar.sample_traces("dfs", 4, 1, 1).trace(0)
    masked = {**dfs.hints, color: -np.ones_like(dfs.hints[color])}
    comparison = compare_traces(nar.ALGORITHMS["dfs"].spec, Trace(dfs.inputs, masked, dfs.outputs), dfs)[
        color
    ]
    assert comparison.total.sum() == 0 and not comparison.wrong.any()


# ---------------------------------------------------------------------------------------------------
# Text


def split_steps(text):
    return re.split(r"\n\n(?=step |outputs|right entries)", text)[1:]


@pytest.mark.parametrize("steps", [(4, 4), (4, 3), (3, 4)])
def test_each_step_shows_its_count_and_marks_each_wrong_entry(steps):
    truth, other = make_pair(steps=steps)
    spec = every_kind.SPEC
    comparison = compare_traces(spec, truth, other)
    parts = split_steps(diff_text(spec, truth, other, other.length, WIDE))
    assert "given to the network" in parts[0] and "!" not in parts[0]
    for step, part in enumerate(parts[1 : min(steps)], start=1):
        right, total = totals(comparison, spec.hints, step)
        assert f"step {step} of 0…{max(steps) - 1} · {right} of {total} entries right" in part
        # The layout is wide enough to list every wrong entry of a matrix.
        assert part.count("!") == total - right
    for part in parts[min(steps) : max(steps)]:
        assert "has ended" in part and "!" not in part
    right, total = totals(comparison, spec.outputs, None)
    assert f"outputs · {right} of {total} entries right" in parts[max(steps)]
    assert parts[max(steps)].count("!") == total - right
    assert f"1: {'/'.join(map(str, totals(comparison, spec.hints, 1)))}" in parts[-1]


def test_lines_fit_the_terminal_and_marks_do_not_depend_on_color():
    truth, other = make_pair()
    plain = diff_text(every_kind.SPEC, truth, other, 4, Layout(60))
    assert max(map(len, plain.splitlines())) <= 60
    colored = diff_text(every_kind.SPEC, truth, other, 4, Layout(100_000, color=True))
    assert colored.count("!\033[0m") == diff_text(every_kind.SPEC, truth, other, 4, WIDE).count("!") - 1


def test_network_without_hints_shows_its_outputs():
    truth = nar.sample_traces("bfs", 6, 1, 1).trace(0)
    other = Trace(truth.inputs, {}, truth.outputs)
    text = diff_text(nar.ALGORITHMS["bfs"].spec, truth, other, truth.length, WIDE)
    assert "no hint is predicted" in text and "outputs · 6 of 6 entries right" in text
    runs = [Run("bfs", truth), Run("network", other, truth.length)]
    content = page_content(nar.ALGORITHMS["bfs"], runs)
    assert content["runs"][1]["steps"] == truth.length and "pi_h" not in content["runs"][1]["values"]


def test_page_content_has_all_wrong_entries():
    truth, other = make_pair()
    page = page_content(
        nar.ALGORITHMS["bfs"], [Run("true", truth), Run("network", other)], spec=every_kind.SPEC
    )
    first, second = page["runs"]
    comparison = compare_traces(every_kind.SPEC, truth, other)
    assert first["wrong"] == {} and set(second["wrong"]) == set(comparison)
    for probe in (*every_kind.SPEC.hints, *every_kind.SPEC.outputs):
        places = second["wrong"][probe.name]
        lists = places if probe.stage is Stage.HINT else [places]
        assert sum(map(len, lists)) == comparison[probe.name].wrong.sum()


# ---------------------------------------------------------------------------------------------------
# Runs


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A trained run of two algorithms and two seeds."""
    workdir = tmp_path_factory.mktemp("runs") / "two"
    two = ("--config.algorithms=('insertion_sort','bfs')", "--config.training.num_seeds=2")
    code, _, errors = run("train", "--config=configs/tiny.py", f"--workdir={workdir}", *TINY, *two)
    assert code == 0, errors
    return workdir


@pytest.mark.slow
def test_show_an_instance_of_the_test_split(trained):
    code, output, errors = run(
        "show", f"--workdir={trained}", "--algorithm=bfs", "--index=2", "--seed_index=1"
    )
    assert code == 0, errors
    assert "bfs · test split, number 2 · " in output
    truth = nar.clrs30_split("bfs", "test").trace(2)
    assert f"step {truth.length - 1} of 0…{truth.length - 1} · " in output
    counts = re.findall(r"· (\d+) of (\d+) entries right", output)
    assert [int(total) for _, total in counts[:-1]] == [128] * (truth.length - 1)
    assert counts[-1][1] == "64"


@pytest.mark.slow
def test_show_scales_numbers_of_a_custom_instance_like_predict(trained):
    problem = '--input={"A": [700, 100, 900, 300]}'
    code, answer, errors = run("predict", f"--workdir={trained}", "--algorithm=insertion_sort", problem)
    assert code == 0, errors
    predicted = json.loads(answer)
    assert predicted["changed"] == "(A - 100) * 0.00125"
    shown = {}
    for words in ((), ("--noscale_inputs",)):
        code, output, errors = run(
            "show", f"--workdir={trained}", "--algorithm=insertion_sort", problem, *words
        )
        assert code == 0, errors
        shown[words] = output.split("\noutputs")[1].split("predicted")[1].splitlines()[0]
        assert ("changed for the network: " in output) == (words == ())
        message = "insertion_sort: A has numbers from 100 to 900, in training they are from 0 to 1"
        assert (message in output, f"warning: {message}" in errors) == (words != (), words != ())
        assert "700" in output.split("step 0")[0]
    pointers = [int(word.strip("→!")) if "→" in word else None for word in shown[()].split()]
    expected = [None if i == j else j for i, j in enumerate(predicted["outputs"]["pred"])]
    assert pointers == expected


@pytest.mark.slow
def test_show_a_custom_instance_agrees_with_predict(trained):
    problem = '--input={"edges": [[0, 1], [1, 2], [0, 3]], "s": 0}'
    code, output, errors = run("show", f"--workdir={trained}", "--algorithm=bfs", problem)
    assert code == 0, errors
    code, answer, errors = run("predict", f"--workdir={trained}", "--algorithm=bfs", problem)
    assert code == 0, errors
    predicted = json.loads(answer)
    pointers = predicted["outputs"]["pi"]
    shown = output.split("\noutputs")[1].split("predicted")[1].splitlines()[0].replace("!", "").split()
    assert shown == ["↺" if i == j else f"→{j}" for i, j in enumerate(pointers)]
    truth = nar.run_algorithm("bfs", A=[(0, 1), (1, 2), (0, 3)], s=0)
    right = int((np.array(pointers) == truth.outputs["pi"]).sum())
    assert f"outputs · {right} of 4 entries right" in output


@pytest.mark.slow
def test_show_a_sampled_instance_as_a_page(trained, tmp_path):
    page = tmp_path / "diff.html"
    flags = ("--algorithm=insertion_sort", "--size=5", "--seed=7", f"--output={page}")
    code, output, errors = run("show", f"--workdir={trained}", *flags)
    assert (code, output) == (0, f"Written: {page}\n"), errors
    text = page.read_text(encoding="utf-8")
    payload = json.loads(re.findall(r'id="payload">(.*?)</script>', text, re.DOTALL)[0])
    truth, predicted = payload["runs"]
    trace = nar.sample_traces("insertion_sort", 5, 1, 7).trace(0)
    assert truth["values"]["pred"] == trace.outputs["pred"].tolist()
    assert truth["steps"] == predicted["steps"] == trace.length
    assert predicted["total"]["pred"] == 5 and predicted["total"]["pred_h"] == [5] * trace.length
    wrong = [str(i) for i in range(5) if predicted["values"]["pred"][i] != truth["values"]["pred"][i]]
    assert predicted["wrong"]["pred"] == wrong and predicted["right"]["pred"] == 5 - len(wrong)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ([], "--algorithm must be one of insertion_sort, bfs, got None"),
        (
            ["--algorithm=bfs", "--index=32"],
            "--index must lie between 0 and 31 for the test split of bfs, got 32",
        ),
        (["--algorithm=bfs", "--input={"], "--input is not valid JSON"),
        (["--algorithm=bfs", '--input={"edges": [[0, 1]]}'], "--input: bfs: "),
        (["--algorithm=bfs", "--input={}", "--size=4"], "--input gives the instance: leave out --size"),
        (["--algorithm=bfs", "--output=no/such/x.html"], "cannot write no/such/x.html"),
    ],
)
def test_invalid_flags_with_a_workdir_end_with_a_message(trained, flags, message):
    code, output, errors = run("show", f"--workdir={trained}", *flags)
    assert code != 0 and output == ""
    assert message in errors and "Traceback" not in errors


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--workdir=no/such"], "no/such is not the workdir of a run"),
        (["--algorithm=bfs", "--seed_index=1"], "--seed_index needs --workdir"),
    ],
)
def test_incompatible_flags_end_with_a_message(flags, message):
    code, _, errors = run("show", *flags)
    assert code != 0
    assert message in errors and "Traceback" not in errors


@pytest.mark.slow
def test_report_of_a_trained_run(trained, tmp_path):
    flags = ["--algorithms=bfs", "--sizes=4,8", "--seeds=3,4"]
    code, _, errors = run("evaluate", f"--workdir={trained}", *flags)
    assert code == 0, errors
    code, output, errors = run("report", trained, f"--output={tmp_path / 'report'}")
    assert code == 0, errors
    result = json.loads((trained / "result.json").read_text())
    scores = [one["scores"]["test"]["bfs"]["64"]["score"] for one in result["seeds"]]
    assert f"{100 * np.mean(scores):.2f} ± {100 * np.std(scores, ddof=1):.2f}" in output
    evaluation = json.loads((trained / "evaluation.json").read_text())
    page = (tmp_path / "report" / "report.html").read_text(encoding="utf-8")
    for case in evaluation["summary"]:
        score = case["metrics"]["score"]
        assert f"{100 * score['mean']:.2f} ± {100 * score['deviation']:.2f}" in page
    assert "2 seeds of problems" in page and "validation score" in page
