"""Tables by which notebooks show traces, batches, predictions and specs."""

import html.parser

import numpy as np
import pytest

import nar
from nar.reports import Table, show_trace
from nar.rich_display import arrays_table


class Cells(html.parser.HTMLParser):
    """Rows of the table cells of a page; a tag that is not closed fails."""

    def __init__(self):
        super().__init__()
        self.rows, self.open = [], []

    def handle_starttag(self, tag, attributes):
        self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] in ("td", "th"):
            self.rows[-1][-1] += data


def read(text):
    parser = Cells()
    parser.feed(text)
    assert not parser.open
    return parser.rows


@pytest.fixture(scope="module")
def batch():
    return nar.sample_traces("bfs", size=4, count=2, seed=0)


def test_arrays_are_described():
    rows = read(arrays_table("<x>", {"inputs": {"a<b": np.arange(3), "long": np.zeros((20, 2), np.float32)}}))
    assert rows[1:] == [
        ["inputs", "a<b", "3", "int64", "[0, 1, 2]"],
        ["inputs", "long", "20 × 2", "float32", ""],
    ]


def test_traces_and_batches_are_shown(batch):
    rows = read(batch._repr_html_())
    assert ["outputs", "pi", "2 × 4"] in [row[:3] for row in rows]
    assert ["", "lengths", "2"] in [row[:3] for row in rows]
    trace = batch.trace(0)
    assert ["outputs", "pi", "4"] in [row[:3] for row in read(trace._repr_html_())]
    assert f"Trace of {trace.length} steps" in trace._repr_html_()


def test_specs_and_tables_are_shown():
    rows = read(nar.ALGORITHMS["bfs"].spec._repr_html_())
    assert ["output", "pi", "node", "pointer"] in rows
    table = Table(("a", "b"), [("1", "2")])
    assert table._repr_html_() == table.as_html()


def test_viewer_is_shown_in_an_isolated_frame(batch):
    text = show_trace("bfs", batch.trace(0), "of a test")._repr_html_()
    (frame,) = [tag for tag in text.split("<") if tag.startswith("iframe")]
    assert 'sandbox="allow-scripts"' in frame
    assert "of a test" in html.unescape(text)
    assert "<script" not in text  # the page is an attribute


def test_batches_as_dictionaries(batch):
    arrays = batch.to_dict()
    assert list(arrays) == ["inputs", "hints", "outputs", "lengths"]
    assert arrays["outputs"]["pi"] is batch.outputs["pi"]
    assert list(batch.trace(0).to_dict()) == ["inputs", "hints", "outputs"]


def test_names_of_the_package_are_listed():
    assert set(nar.__all__) <= set(dir(nar))
    assert not any(name.startswith("_") and name != "__version__" for name in dir(nar))
