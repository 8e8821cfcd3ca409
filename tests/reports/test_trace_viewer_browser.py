"""Trace pages in a real browser; skipped if none is installed."""

import html
import json
import re
import shutil
import subprocess

import every_kind
import numpy as np
import pytest

import nar
from nar.reports import Run, trace_page
from nar.reports.trace_viewer.readable_values import changes, read

BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None
)

pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium or Chrome is installed")

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--virtual-time-budget=20000",
    "--window-size=1280,800",
)

REPORT = """
<script>
addEventListener("error", (event) => { document.body.dataset.error = event.message; });
</script>
"""
PRESS = """
const output = [];
const press = (key, target = document.body) =>
  target.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
const emit = (value) => output.push(value);
const shown = () => document.body.dataset.step;
"""


def browse(folder, page, fragment="", script=""):
    """Opens a page at a fragment and runs a script; returns the document and the values that it emitted."""
    path = folder / "page.html"
    tail = f"<script>{PRESS}{script}\ndocument.body.dataset.output = JSON.stringify(output);</script></body>"
    path.write_text(page.replace("<header>", REPORT + "<header>").replace("</body>", tail), encoding="utf-8")
    command = [
        BROWSER,
        *FLAGS,
        f"--user-data-dir={folder / 'profile'}",
        "--dump-dom",
        f"{path.as_uri()}{fragment}",
    ]
    done = subprocess.run(command, capture_output=True, timeout=400, check=True)
    document = done.stdout.decode()
    assert "data-error" not in document, re.findall(r'data-error="[^"]*"', document)
    return document, json.loads(html.unescape(re.findall(r'data-output="([^"]*)"', document)[0]))


def page_of(name, size=6):
    trace = nar.sample_traces(name, size, 1, 1).trace(0)
    return trace, trace_page(nar.ALGORITHMS[name], [Run(name, trace)])


def shown_step(document):
    return re.findall(r'<body[^>]* data-step="([^"]*)"', document)[0]


def shown_changes(document):
    """{probe name: number of entries listed as changed}."""
    pairs = re.findall(r'class="change" data-probe="(\w+)" data-count="(\d+)"', document)
    return {name: int(count) for name, count in pairs}


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=() if name in ("bfs", "lcs_length", "heapsort") else pytest.mark.slow)
        for name in nar.ALGORITHMS
    ],
)
def test_step_lists_its_changes(name, tmp_path):
    trace, page = page_of(name)
    step = trace.length - 1
    document, _ = browse(tmp_path, page, f"#step={step}")
    assert shown_step(document) == str(step)
    assert f"step {step} of 0…{step}" in document
    counts = {
        probe.name: int(changes(read(probe, trace.hints[probe.name]))[step].sum())
        for probe in nar.ALGORITHMS[name].spec.per_step
    }
    assert shown_changes(document) == {key: count for key, count in counts.items() if count}


def test_changed_arrows_and_fills_are_marked(tmp_path):
    trace, page = page_of("bfs", 8)
    document, _ = browse(tmp_path, page, "#step=2")
    arrows = re.findall(r'class="arrow[^"]*changed" data-probe="pi_h" data-node="(\d+)"', document)
    pi = trace.hints["pi_h"]
    assert sorted(map(int, arrows)) == np.flatnonzero(pi[2] != pi[1]).tolist()
    filled = re.findall(r'class="fill c\d[^"]*" data-probe="reach_h"', document)
    assert len(filled) == trace.hints["reach_h"][2].sum()


def test_keys_and_buttons_navigate_steps(tmp_path):
    trace, page = page_of("insertion_sort")
    script = """
    for (const key of ["ArrowLeft", "ArrowRight", "ArrowRight", "End", "ArrowRight", "ArrowLeft", "Home"]) {
      press(key); emit(shown());
    }
    for (const id of ["last", "back", "first", "next"]) {
      document.getElementById(id).click(); emit(shown());
    }
    press("ArrowRight", document.getElementById("slider")); emit(shown()); emit(location.hash);
    """
    last = str(trace.length - 1)
    _, output = browse(tmp_path, page, "", script)
    assert output[:7] == ["0", "1", "2", "result", "result", last, "0"]
    assert output[7:] == ["result", last, "0", "1", "2", "#step=2"]


@pytest.mark.slow
def test_space_key_plays_to_the_result(tmp_path):
    _, page = page_of("insertion_sort")
    document, output = browse(
        tmp_path, page, "", 'press(" "); emit(document.getElementById("play").ariaLabel);'
    )
    assert output == ["pause"]
    assert shown_step(document) == "result"
    assert 'aria-label="play"' in document


@pytest.mark.slow
def test_clicking_the_legend_toggles_a_probe(tmp_path):
    _, page = page_of("bfs")
    script = """
    const toggle = () => document.querySelector('.toggle[data-probe="pi_h"]');
    const count = () => document.querySelectorAll('#runs .arrow').length;
    for (let k = 0; k < 2; k++) { toggle().click(); emit([toggle().ariaPressed, count()]); }
    """
    _, output = browse(tmp_path, page, "#step=1", script)
    assert output == [["false", 0], ["true", 6]]


@pytest.mark.parametrize(
    "fragment",
    [
        "#step=x",
        *(pytest.param(one, marks=pytest.mark.slow) for one in ("#step=-1", "#nothing", "#step=1e3")),
    ],
)
def test_invalid_fragments_open_at_the_first_step(tmp_path, fragment):
    document, _ = browse(tmp_path, page_of("minimum")[1], fragment)
    assert shown_step(document) == "0"


@pytest.mark.slow
def test_all_kinds_are_drawn_with_differences_marked(tmp_path):
    spec = every_kind.SPEC
    runs = [
        Run(label, every_kind.random_batch(seed, num_nodes=5, num_steps=steps, masked=0.2).trace(0))
        for label, seed, steps in (("true", 1, 4), ("predicted", 2, 3), ("true again", 1, 4))
    ]
    page = trace_page(nar.ALGORITHMS["bfs"], runs, spec=spec)
    script = """
    for (let step = 0; step <= numSteps; step++) {
      show(step);
      const runs = [...document.querySelectorAll(".run")];
      emit(runs.map((run) => run.querySelectorAll(".wrong").length > 0));
      const toggles = () => document.querySelectorAll(".toggle");
      toggles().forEach((each, k) => toggles()[k].click());
      show(step);
    }
    """
    document, output = browse(tmp_path, page, "", script)
    assert output == [[False, True, False]] * 5
    assert "NaN" not in document and "undefined" not in document.split("<script>")[0]


@pytest.mark.slow
def test_graph_of_64_nodes_is_drawn_completely(tmp_path):
    _, page = page_of("bellman_ford", 64)
    document, _ = browse(tmp_path, page, "#step=result")
    assert document.count('class="node"') == 64
