"""Reports and comparisons of networks with algorithms in a real browser; skipped if none is installed."""

import re

import every_kind
import pytest
from test_run_report import make_run, read
from test_trace_viewer_browser import BROWSER, browse

import nar
from nar.reports import Run, trace_page
from nar.reports.run_report import make_report
from nar.reports.trace_viewer.compare import compare_traces

pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium or Chrome is installed")


@pytest.mark.slow
def test_report_fits_narrow_and_wide_screens(tmp_path):
    long = "a_name_that_is_much_longer_than_the_names_that_people_usually_give_to_their_runs"
    runs = [
        make_run(tmp_path / name, dict.fromkeys(("bfs", "find_maximum_subarray_kadane"), 0.5), seed=k)
        for k, name in enumerate(("short", long))
    ]
    runs.append(make_run(tmp_path / "half", overrides={"model.hidden_size": 64}))
    page = make_report(read(*runs))["report.html"].decode()
    # The page's policy forbids scripts, which this test needs to measure it in frames of several widths.
    page = re.sub(r'<meta http-equiv="Content-Security-Policy".*?>', "", page, flags=re.DOTALL)
    script = """
    for (const width of [340, 800, 1280]) {
      const frame = document.createElement("iframe");
      frame.style.width = `${width}px`;
      document.body.append(frame);
      frame.contentDocument.write(whole);
      frame.contentDocument.close();
      const root = frame.contentDocument.documentElement;
      emit(root.scrollWidth <= width);
      emit([...frame.contentDocument.querySelectorAll("figure svg")].every((each) => {
        const box = each.getBoundingClientRect();
        return box.width > 200 && box.width <= width && box.height > 60;
      }));
    }
    """
    keep = "<script>const whole = document.documentElement.outerHTML;</script>"
    _, output = browse(tmp_path, page.replace("</main>", f"</main>{keep}"), "", script)
    assert output == [True] * 6


@pytest.mark.slow
def test_comparison_page_counts_and_marks_wrong_entries(tmp_path):
    truth, other = (
        every_kind.random_batch(1 + k, num_nodes=5, num_steps=steps, masked=masked).trace(0)
        for k, (steps, masked) in enumerate(((4, 0.2), (3, 0.0)))
    )
    runs = [Run("true", truth), Run("network", other)]
    page = trace_page(nar.ALGORITHMS["bfs"], runs, spec=every_kind.SPEC)
    comparisons = compare_traces(every_kind.SPEC, truth, other)
    script = """
    for (const step of [1, 3, numSteps]) {
      show(step);
      emit(Object.fromEntries([...document.querySelectorAll(".tally li")].map(
        (each) => [each.dataset.probe, [each.dataset.right, each.dataset.total]])));
      emit(document.querySelectorAll("td.wrong").length);
    }
    """
    _, output = browse(tmp_path, page, "", script)
    spec = every_kind.SPEC

    def counts(probes, step):
        pairs = {p.name: (comparisons[p.name].right, comparisons[p.name].total) for p in probes}
        pairs = {
            name: pair if step is None else [count[step] for count in pair] for name, pair in pairs.items()
        }
        return {name: [str(count) for count in pair] for name, pair in pairs.items() if pair[1]}

    assert output[0] == counts(spec.hints, 1)
    assert output[1] > 0
    assert output[2] == {}  # only one of the runs has this step
    assert output[4] == counts(spec.outputs, None)


@pytest.mark.slow
def test_network_without_hints_is_drawn(tmp_path):
    truth = nar.sample_traces("bfs", 5, 1, 1).trace(0)
    other = nar.traces.Trace(truth.inputs, {}, truth.outputs)
    page = trace_page(nar.ALGORITHMS["bfs"], [Run("bfs", truth), Run("network", other, truth.length)])
    document, output = browse(tmp_path, page, "#step=1", "emit(document.querySelectorAll('.run').length);")
    assert output == [2] and "Nothing is predicted at this step." in document
