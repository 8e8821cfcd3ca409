"""Names of any kind in every format of the reports, and plots that fail."""

import html.parser
import json
import logging
import os
import re
import xml.etree.ElementTree

import matplotlib
import pytest
from test_run_report import make_run, read

from nar.reports import Outcome, draw_accuracy, draw_curves, draw_scaling, summarize, sweep_markdown
from nar.reports.escape import escape_html, escape_latex, escape_markdown, escape_matplotlib, plain
from nar.reports.run_report import drawing, make_report
from nar.reports.run_report.drawing import as_image, draw, draw_keys
from nar.reports.run_report.panels import Bars, Curves, Line, Values
from nar.reports.tables import Table
from nar.reports.trace_viewer.page import fill_template

NAMES = (
    "$$",
    r"$\frac{$",
    "two\nlines\r\nand\u2028three",
    "<script>alert(1)</script>",
    "<b>&amp;",
    "[optional]",
    "*starred*",
    "_hidden_",
    "a|b\\|c\\",
    "# heading",
    "- item",
    "1. item",
    "> quote",
    "[link](javascript:1) ![image](x) `code` ~~no~~",
    "tab\tbell\x07escape\x1b[31mnull\x00end",
    "{{title}} {{sections}} {{links}}",
    "100 % of {all} ~ ^ #1 & \\input{x} --- ``quoted''",
    os.fsdecode(b"undecodable\xff"),
    "Veličković 中文 😀 \u202eright to left",
    '#2a78d6 url(#x) id="x" var(--ink)',
    "",
    " ",
)


class Text(html.parser.HTMLParser):
    """Text and tags of an HTML page."""

    def __init__(self, page):
        super().__init__()
        self.texts, self.tags = [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)

    def handle_data(self, data):
        self.texts.append(data)


def unescaped_markdown(text):
    """The text that Markdown shows."""
    return html.unescape(re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", text))


@pytest.mark.parametrize("name", NAMES)
def test_every_format_shows_a_name_on_one_line(name):
    shown = plain(name)
    assert shown.isprintable() and len(shown.encode()) >= len(shown)
    assert Text(escape_html(name)).texts == ([shown] if shown else [])
    assert unescaped_markdown(escape_markdown(name)) == shown
    for text in (escape_latex(name), escape_matplotlib(name)):
        assert text.isprintable()
    assert not re.match(r"\s*[\[*]", escape_latex(name))


def test_numbers_and_usual_names_stay_readable():
    for text in ("-0.5", "+1.5", "1.00 ± 0.50", "triplet_gmpnn", "50.00%", "1.", "–", "runs/bfs-2.1"):
        assert escape_markdown(text) == text
    assert escape_latex("a--b") == "a-{}-b"


@pytest.mark.parametrize("name", [name for name in NAMES if name.strip()])
def test_tables_keep_their_rows_and_cells(name):
    table = Table([name, name], [[name, name]] * 3, name, [name])
    assert len(table.as_text().splitlines()) == 9
    rows = [line for line in table.as_markdown().splitlines() if line.startswith("| ")]
    assert [len(re.findall(r"(?<!\\)(?:\\\\)*\|", row)) for row in rows] == [3] * 5
    rows = [line for line in table.as_latex().splitlines() if line.endswith(r" \\")]
    assert [len(re.findall(r"(?<!\\)&", row)) for row in rows] == [1] * 4
    assert Text(table.as_html()).tags.count("td") == 3
    assert "script" not in Text(table.as_html()).tags


def test_markdown_of_sweeps_is_escaped():
    text = sweep_markdown(summarize([Outcome({"<b>|\n": "<script>\n|"}, None)]))
    assert len([line for line in text.splitlines() if line.startswith("|")]) == 3
    assert not re.search(r"(?<!\\)<", text)


def svg_texts(svg):
    """All texts of an SVG file, which must be well-formed."""
    root = xml.etree.ElementTree.fromstring(svg)
    return ["".join(element.itertext()) for element in root.iter("{http://www.w3.org/2000/svg}text")]


@pytest.mark.parametrize(
    "name", [*NAMES[:4], *(pytest.param(name, marks=pytest.mark.slow) for name in NAMES[4:])]
)
def test_plots_show_names_as_they_are(name):
    panels = [
        Curves(name, name, [Line(name, 0, [(0.0, 1.0, None), (1.0, 2.0, 0.1)], is_unfinished=True)]),
        Bars(name, [name], [Values(name, 0, [(50.0, 1.0)])], [Values(f"{name}!", 1, [(40.0, None)])]),
    ]
    texts = svg_texts(as_image(draw(panels), "svg"))
    shown = " ".join(plain(name).split())
    assert sum(" ".join(text.split()) == shown for text in texts) >= (2 if shown else 0)
    assert set(draw_keys(panels)) == {name, f"{name}!", "unfinished run"} or not name.strip()


@pytest.mark.slow
def test_reports_of_runs_with_any_names(tmp_path):
    names = [name for name in NAMES if name.strip() and "/" not in name and "\0" not in name]
    runs = [
        make_run(tmp_path / name, {"bfs": 0.5}, lines=1, overrides={"model.processor": name or "none"})
        for name in names
    ]
    files = make_report(read(*runs))
    page = Text(files["report.html"].decode())
    assert "script" not in page.tags and "b" not in page.tags
    assert page.tags.count("h1") == 1 and page.tags.count("section") <= 8
    rows = [line for line in files["table.md"].decode().splitlines() if line.startswith("| ")]
    assert len(rows) >= len(names)
    assert len({len(re.findall(r"(?<!\\)(?:\\\\)*\|", row)) for row in rows}) == 1
    for name in ("learning_curves.svg", "test_scores.svg"):
        assert svg_texts(files[name])
    report = make_report(read(runs[0]))
    assert "$$" in Text(report["report.html"].decode()).texts


def test_templates_are_filled_once():
    page = fill_template(
        "report.html", title="{{sections}}", subtitle="", style="", links="", sections="{{title}}"
    )
    assert page.count("{{sections}}") == 2 and page.count("{{title}}") == 1


# ---------------------------------------------------------------------------------------------------
# Plots that fail


def all_plots(folder):
    """Draws each plot that is not part of a report; returns whether each was drawn."""
    metrics = folder / "metrics.jsonl"
    metrics.write_text(json.dumps({"step": 1, "loss/$$": 1.0, "loss/$x$/_": 2.0, "validation/$_/score": 0.5}))
    means = {"exact": 0.5, "elements": 0.5, "parsed": 1.0, "answers": 4}
    scores = {"algorithms": {"$$_": {"lengths": {"4": means}}}}
    return {
        "curves.png": draw_curves(metrics, folder / "curves.png"),
        "scaling.svg": draw_scaling({"$$": {r"$\frac{$": {1: 1.0, 2: 2.0}}}, "_", folder / "scaling.svg"),
        "accuracy.png": draw_accuracy(scores, {}, folder / "accuracy.png"),
    }


@pytest.mark.parametrize("settings", [{}, {"text.usetex": True, "axes.formatter.use_mathtext": True}])
def test_plots_do_not_depend_on_latex(tmp_path, settings):
    with matplotlib.rc_context(settings):
        drawn = all_plots(tmp_path)
        assert {name for name, done in drawn.items() if done and (tmp_path / name).exists()} == set(drawn)
        assert draw([Curves("$$", "$$", [Line("$$", 0, [(0.0, 1.0, None)])])]).canvas is not None


def test_a_plot_that_fails_is_a_warning(tmp_path, monkeypatch, caplog):
    def fail(*arguments, **options):
        raise RuntimeError("no font")

    monkeypatch.setattr(matplotlib.figure.Figure, "savefig", fail)
    with caplog.at_level(logging.WARNING):
        assert not any(all_plots(tmp_path).values())
    assert [path.name for path in tmp_path.iterdir()] == ["metrics.jsonl"]
    assert caplog.text.count("RuntimeError: no font") == 3
    assert "no plot" in caplog.text and "curves.png" in caplog.text


def test_a_report_whose_plots_fail_has_its_tables(tmp_path, monkeypatch, caplog):
    def fail(*arguments, **options):
        raise RuntimeError("no font")

    records = read(make_run(tmp_path / "run", {"bfs": 0.5}))
    monkeypatch.setattr(drawing, "_settings", fail)
    with caplog.at_level(logging.WARNING):
        files = make_report(records)
    assert set(files) == {"report.html", "table.md", "table.tex"}
    assert "50.00" in files["table.md"].decode()
    assert "This plot could not be drawn" in files["report.html"].decode()
    assert "no plot learning_curves: RuntimeError: no font" in caplog.text
