"""Legends fit into their figures, deviations into their scales, and the best scores are in bold."""

import pytest

pytest.importorskip("matplotlib")

from nar.reports import Table
from nar.reports.plotting import legend_columns, wrap_label
from nar.reports.run_report.drawing import draw
from nar.reports.run_report.panels import Bars, Curves, Line, Values

LONG = "processor=triplet_gmpnn, hidden_size=192, learning_rate=0.0005, a very long name of a setting"


@pytest.mark.parametrize(
    ("labels", "width", "columns"), [(["a", "b"], 4, 2), ([LONG, "b"], 4, 1), (["a"] * 30, 20, 4), ([], 4, 1)]
)
def test_number_of_columns_follows_from_the_labels(labels, width, columns):
    assert legend_columns(labels, width) == columns


def test_long_labels_are_wrapped_and_no_letter_is_lost():
    lines = wrap_label(LONG, 4).splitlines()
    assert len(lines) > 1
    assert " ".join(lines) == LONG
    assert wrap_label(" _underscore", 4) == " _underscore"


@pytest.mark.parametrize("columns", [1, 3])
def test_legend_is_inside_of_its_figure_and_sizes_have_ticks(columns):
    lines = [Line(f"{LONG} {number}", number, [(16, 98.0, 5.0), (64, 3.0, 9.0)]) for number in range(30)]
    bars = [Values(f"{LONG} {number}", number, [(99.0, 4.0)]) for number in range(30)]
    figure = draw([Curves("bfs", "size n", lines), Bars("test score", ["bfs"], bars, [])], columns)
    figure.draw_without_rendering()
    (legend,) = figure.legends
    box, page = legend.get_window_extent(), figure.bbox
    assert box.x0 >= 0
    assert box.y0 >= 0
    assert box.x1 <= page.x1
    curves, bars = figure.axes
    assert curves.get_xticks().tolist() == [16, 64]
    assert box.y1 <= min(axes.get_tightbbox().y0 for axes in (curves, bars)) + 1
    tops = [path.get_extents() for one in curves.collections for path in one.get_paths()]
    assert max(one.y1 for one in tops) <= 100
    assert min(one.y0 for one in tops) >= 0
    whiskers = [path.get_extents() for one in bars.collections for path in one.get_paths()]
    assert max(one.x1 for one in whiskers) <= 100


def test_best_cells_are_bold():
    table = Table(("", "a", "b"), [("x", "1_", "2_")], best=[(0, 2)])
    assert "| x | 1\\_ | **2\\_** |" in table.as_markdown()
    assert r"x & 1\_ & \textbf{2\_} \\" in table.as_latex()
    assert "<td>1_</td><td><strong>2_</strong></td>" in table.as_html()
    assert "*" not in table.as_text()
