"""Benchmarks: each is one file with flags of its own, found by the name of its module."""

import sys

import pytest
from absl import flags

from experiments import benchmark
from experiments.benchmark import BENCHMARKS, add_benchmark_flags

PADDING = """
'''Number of words.

    python -m experiments.benchmark words --count=3
'''

from absl import flags

from experiments.benchmarks.lib.benchmark_flags import define_count

FLAGS = flags.FlagValues()
_COUNT = define_count(FLAGS, "count", 2, "Number of words.")


def main():
    print("word " * _COUNT.value)
"""


@pytest.fixture
def script_flags(monkeypatch):
    """Flags of the script, empty before each test."""
    monkeypatch.setattr(flags, "FLAGS", flags.FlagValues())
    return flags.FLAGS


@pytest.mark.parametrize("name", [name for name in BENCHMARKS if name in ("traces", "text", "padding")])
def test_benchmarks_have_a_description_flags_and_a_main_function(name, script_flags):
    module = add_benchmark_flags([name])
    assert f"python -m experiments.benchmark {name}" in module.__doc__
    assert set(script_flags) == set(module.FLAGS) >= {"algorithms"}
    assert callable(module.main)


def test_a_benchmark_is_one_file(script_flags, tmp_path, monkeypatch, capsys):
    (tmp_path / "words.py").write_text(PADDING.strip())
    package = sys.modules["experiments.benchmarks"]
    monkeypatch.setattr(package, "__path__", [*package.__path__, str(tmp_path)])
    monkeypatch.setattr(benchmark, "BENCHMARKS", benchmark.benchmark_names())
    module = add_benchmark_flags(["words"])
    script_flags(["benchmark", "words", "--count=3"])
    module.main()
    assert capsys.readouterr().out.split() == ["word"] * 3
    sys.modules.pop("experiments.benchmarks.words")


def test_flags_of_other_benchmarks_are_unknown(script_flags):
    add_benchmark_flags(["padding"])
    with pytest.raises(flags.UnrecognizedFlagError, match="seconds"):
        script_flags(["benchmark", "padding", "--seconds=1"])


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ((), "name one benchmark first: ensemble, evaluate, evaluation_sets, memory, padding"),
        (("trace",), "unknown benchmark 'trace'; known: .*; did you mean traces?"),
        (("traces", "text"), "name one benchmark first"),
    ],
)
def test_names_of_benchmarks_are_checked(names, message):
    with pytest.raises(ValueError, match=message):
        benchmark.run_benchmark(None, *names)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--sizes=4,0", "must be positive integers separated by commas, got '0'"),
        ("--algorithms=bsf", "unknown algorithm 'bsf'.*did you mean bfs?"),
        ("--repeats=0", "repeats"),
    ],
)
def test_values_of_flags_are_checked(words, message, script_flags):
    add_benchmark_flags(["traces"])
    with pytest.raises(flags.IllegalFlagValueError, match=message):
        script_flags(["benchmark", "traces", words])
