"""Static drawings show the steps, the nodes and the scores of their arguments."""

import io

import pytest
import tasks

import nar
from nar.reports import draw_scores_by_size, draw_trace

pytest.importorskip("matplotlib")


def titles(figure):
    return [axes.get_title().split("\n")[0] for axes in figure.axes if axes.get_title()]


def legend(figure):
    return [text.get_text() for one in figure.legends for text in one.get_texts()]


@pytest.mark.parametrize("task", tasks.COVERING)
def test_traces_are_drawn(task):
    """Steps are evenly spaced; the legend names the probes; the figure can be written as a PDF."""
    trace = nar.sample_traces(task, max(6, nar.ALGORITHMS[task].problem.min_size), 1, 0).trace(0)
    figure = draw_trace(task, trace)
    drawn = titles(figure)
    assert drawn[0] == "step 0"
    assert drawn[-2:] == [f"step {trace.length - 1}", "output"]
    assert len(drawn) == min(trace.length, 7) + 1
    matrices = {axes.get_xlabel() for axes in figure.axes if axes.images}
    assert set(legend(figure)) | matrices <= set(trace.hints) | set(trace.outputs)
    values = {axes.get_title().split("\n")[-1].split(" = ")[0] for axes in figure.axes}
    assert set(trace.outputs) <= set(legend(figure)) | matrices | values
    figure.savefig(io.BytesIO(), format="pdf")


def test_notebooks_show_figures():
    trace = nar.run_algorithm("bfs", edges=[(0, 1)], s=0)
    assert draw_trace("bfs", trace)._repr_png_().startswith(b"\x89PNG")


def test_chosen_steps_and_node_labels():
    trace = nar.run_algorithm("bfs", edges=[("start", "b"), ("b", "c")], s="start")
    figure = draw_trace("bfs", trace, steps=[2, 0], columns=1)
    assert titles(figure) == ["step 2", "step 0", "output"]
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert [text for text in texts if text] == ["start", "b", "c"]
    assert legend(figure) == ["reach_h", "pi_h", "pi"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"steps": [9]}, "step 9 does not exist: the trace has steps 0 to 1"),
        ({"columns": 0}, "columns must be at least 1"),
    ],
)
def test_invalid_arguments(arguments, message):
    trace = nar.run_algorithm("bfs", edges=[(0, 1)], s=0)
    with pytest.raises(ValueError, match=message):
        draw_trace("bfs", trace, **arguments)


def test_large_traces_are_rejected():
    trace = nar.run_algorithm("bfs", edges=[(0, 80)], s=0, num_nodes=81)
    with pytest.raises(ValueError, match="at most 64 nodes can be drawn, the trace has 81"):
        draw_trace("bfs", trace)


def test_scores_by_size():
    """A line for each algorithm and family, sorted by size, in percent, with a tick at each size."""
    scores = {
        "bfs": {"64": {"score": 0.5, "exact": 0.25}, "16": {"score": 1.0, "exact": 0.75}},
        "dfs": {"16, grid": {"score": 0.125}},
    }
    axes = draw_scores_by_size(scores).axes[0]
    points = {line.get_label(): (list(line.get_xdata()), list(line.get_ydata())) for line in axes.lines}
    assert points == {"bfs": ([16, 64], [100, 50]), "dfs, grid": ([16], [12.5])}
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["16", "64"]
    exact = draw_scores_by_size(scores, "exact")
    assert [list(line.get_ydata()) for line in exact.axes[0].lines] == [[75, 25]]
    assert legend(exact) == ["bfs"]
    with pytest.raises(ValueError, match="there are no scores 'valid'; known: exact, score"):
        draw_scores_by_size(scores, "valid")
