"""The scaling benchmark and its plot."""

import pytest
from commands import run

from nar.reports import check_plot_path, draw_scaling

LINES = {
    "problem size n": {"mpnn": {16: 3.0, 32: 10.0}, "gat": {16: 2.0}},
    "num_seeds": {"mpnn": {1: 3.0, 5: 12.0}},
}


@pytest.mark.slow
def test_scaling_prints_a_row_per_case_and_writes_a_plot(tmp_path):
    plot_path = tmp_path / "scaling.svg"
    words = ["--sizes=4", "--batch_sizes=2,4", "--hidden_sizes=8", "--num_seeds=1,2", "--processors=mpnn"]
    words += ["--size=4", "--batch_size=2", "--hidden_size=8", "--repeats=1", f"--picture={plot_path}"]
    code, output, errors = run("benchmark", "scaling", *words)
    assert code == 0, errors
    rows = [line.split() for line in output.splitlines() if line.startswith("mpnn")]
    assert [row[-5] for row in rows] == ["4", "2", "4", "8", "1", "2"]
    assert all(float(number) >= 0 for row in rows for number in row[-4:])
    # A case that occurs several times is measured once.
    assert rows[0][-4:] == rows[1][-4:] == rows[3][-4:] == rows[4][-4:]
    assert plot_path.read_text().count("<svg") == 1
    assert list(tmp_path.iterdir()) == [plot_path]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--picture=scaling.pdf"], "a plot's file name must end in .png or .svg, got 'scaling.pdf'"),
        (["--picture=nowhere/scaling.png"], "the folder 'nowhere' of the plot does not exist"),
        (["--batch_sizes=4,0"], "positive integers separated by commas, got '0'"),
        (["--processors=mpn"], "unknown processor 'mpn'"),
    ],
)
def test_invalid_arguments_are_rejected(arguments, message):
    code, _, errors = run("benchmark", "scaling", *arguments)
    assert code == 1
    assert message in errors
    assert "measuring" not in errors


@pytest.mark.parametrize("suffix", [".png", ".svg"])
def test_plot_is_written(tmp_path, suffix):
    plot_path = tmp_path / f"scaling{suffix}"
    assert draw_scaling(LINES, "ms", plot_path)
    assert plot_path.stat().st_size > 2000


def test_other_plot_formats_are_rejected(tmp_path):
    with pytest.raises(ValueError, match="must end in .png or .svg"):
        check_plot_path(tmp_path / "scaling.jpg")
