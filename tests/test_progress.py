"""Bars in terminals, lines in files and pipes."""

import contextlib
import io
import sys

import pytest

from nar import progress
from nar.progress import ProgressBar


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def clock(monkeypatch):
    """Time in seconds, as a list of one number."""
    now = [1_000.0]
    monkeypatch.setattr("tqdm.std.time", lambda: now[0])
    return now


@pytest.fixture
def errors():
    """Standard error, while it is redirected to a file."""
    return io.StringIO()


@pytest.fixture
def to_file(errors):
    """Redirects standard error in the test itself, since pytest replaces it after each fixture."""
    return contextlib.redirect_stderr(errors)


def test_files_get_lines_at_an_interval(clock, errors, to_file):
    with to_file:
        for _ in ProgressBar(range(100), "scoring", unit="batch", leave=False):
            clock[0] += 2
        lines = errors.getvalue().splitlines()
        assert lines[0] == "scoring: 30/100, 01:00 elapsed, 02:20 left,  2.00s/batch"
        assert [line.split(",")[0] for line in lines] == [f"scoring: {n}/100" for n in (30, 60, 90)]
        assert "\r" not in errors.getvalue()


def test_short_computations_write_nothing_to_files_but_a_last_line_if_it_is_left(clock, errors, to_file):
    with to_file:
        list(ProgressBar(range(3), "scoring", leave=False))
        assert errors.getvalue() == ""
        with ProgressBar(total=4, desc="making", unit=" texts", initial=1) as bar:
            clock[0] += 6
            bar.update(3)
        assert errors.getvalue() == "making: 4/4, 00:06 elapsed, 00:00 left,  2.00s/ texts\n"


def test_terminals_get_a_bar(clock, monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    list(ProgressBar(range(3), "scoring"))
    assert "\rscoring: 100%|" in sys.stderr.getvalue() and sys.stderr.getvalue().count("\n") == 1


def test_excluded_time_does_not_count_in_the_time_left(clock, errors, to_file):
    with to_file:
        bar = ProgressBar(total=100, initial=10, desc="training", unit="step", mininterval=1e9)
        clock[0] += 600
        bar.excluded_seconds = 599.5
        bar.update()
        bar.refresh()
        bar.excluded_seconds, bar.n = 580, 20
        bar.refresh()
        assert errors.getvalue().splitlines() == [
            "training: 11/100, 10:00 elapsed, ? left, ?step/s",
            "training: 20/100, 10:00 elapsed, 02:40 left,  2.00s/step",
        ]
        bar.close()


def test_texts_are_written_once_and_do_not_repeat_lines(clock, errors, to_file, capsys):
    with to_file:
        bar = ProgressBar(total=10, desc="measuring")
        clock[0] += 5
        bar.update()
        ProgressBar.write("a row")
        ProgressBar.write("a warning", sys.stderr)
        assert capsys.readouterr().out == "a row\n"
        assert errors.getvalue() == "a warning\n"
        bar.close()


def test_disabled_bars_write_nothing(errors, to_file):
    with to_file:
        for _ in ProgressBar(range(3), disable=True):
            pass
        assert errors.getvalue() == ""
        assert not progress.is_terminal(errors) and progress.is_terminal(Terminal())
