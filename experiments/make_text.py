"""Makes a set of CLRS-Text (arXiv 2406.04229) as JSON lines, identical to the output of dm-clrs 2.0.3.

    python -m experiments.make_text --split=val --output=texts/val --workers=4
    python -m experiments.make_text --split=train --algorithms=minimum,quicksort --hints --output=texts/two
    python -m experiments.make_text --algorithms=my:MINE --lengths=4,8 --samples=99 --seeds=0 --output=mine

By default, a split is the published set: `train` has 10,000 texts for each algorithm and length, `val` 625,
at lengths up to 64. The same command on the same folder resumes an interrupted set; files do not depend on
the number of workers; files that differ from the manifest are made again. While a command writes to a folder,
a second one is refused. `nar.text.rendering.text_files` documents the format.
"""

import pathlib
from collections.abc import Sequence

from absl import flags

from experiments.cli.launch import launch
from experiments.cli.paths import define_path
from experiments.cli.text_set import make_set
from nar.algorithms import find_algorithm
from nar.machine import count_cores
from nar.problems.options import OPTION_CHECKS
from nar.runs.lock import Lock
from nar.text import TEXT_SETS, TextSet
from nar.text.rendering.text_files import TextRequest, check_folder, claim_folder

_SPLIT = flags.DEFINE_enum(
    "split", None, list(TEXT_SETS), "Published set that gives the defaults of options."
)
_OUTPUT = define_path("output", None, "Folder of the set, created if missing.", required=True)
_ALGORITHMS = flags.DEFINE_list(
    "algorithms", None, "Names, or module:ATTRIBUTE; by default those of the split."
)
_LENGTHS = flags.DEFINE_list("lengths", None, "Lengths of every algorithm; by default those of the split.")
_SAMPLES = flags.DEFINE_integer("samples", None, "Texts for each algorithm, length and seed.")
_SEEDS = flags.DEFINE_list("seeds", None, "Seeds; by default those of the split.")
_HINTS = flags.DEFINE_bool("hints", False, "Whether questions and answers include the hints.")
_DECIMALS = flags.DEFINE_integer(
    "decimals", None, "Decimals to which inputs are truncated; by default all digits are kept."
)
_WORKERS = flags.DEFINE_integer(
    "workers", None, "Number of processes; by default that of the cores it may use.", lower_bound=1
)


def main() -> None:
    """Checks the request, makes missing files, and prints a summary."""
    request = read_request()
    request.check()
    folder = pathlib.Path(_OUTPUT.value)
    check_folder(folder, request)  # Folders of others get no lock.
    folder.mkdir(parents=True, exist_ok=True)
    with Lock(folder):
        claim_folder(folder, request)
        make_set(folder, request, _WORKERS.value or count_cores())


def read_request() -> TextRequest:
    """Reads the request from the flags."""
    values = {flag.name: flag.value for flag in (_ALGORITHMS, _LENGTHS, _SAMPLES, _SEEDS)}
    missing = [name for name, value in values.items() if value is None]
    if _SPLIT.value is None and missing:
        raise ValueError(f"without --split, --{missing[0]} must be given; splits: {', '.join(TEXT_SETS)}")
    split = TEXT_SETS[_SPLIT.value] if _SPLIT.value else TextSet({}, 0, ())
    names = list(split.lengths if _ALGORITHMS.value is None else _ALGORITHMS.value)
    names = [name if ":" in name else find_algorithm(name).name for name in names]
    if len({find_algorithm(name).name for name in names}) < len(names):
        raise ValueError(f"--algorithms must differ, got {','.join(names)}")
    lengths = {}
    for name in names:
        if _LENGTHS.value is not None:
            lengths[name] = _integers("lengths", _LENGTHS.value)
        elif name in split.lengths:
            lengths[name] = split.lengths[name]
        else:
            raise ValueError(f"{_SPLIT.value} has no lengths of {name}: give --lengths")
    return TextRequest(
        lengths=lengths,
        samples=split.samples if _SAMPLES.value is None else _SAMPLES.value,
        seeds=split.seeds if _SEEDS.value is None else _integers("seeds", _SEEDS.value),
        use_hints=_HINTS.value,
        decimals=OPTION_CHECKS["decimals"]("--decimals", _DECIMALS.value),
    )


def _integers(name: str, words: Sequence[str]) -> tuple[int, ...]:
    try:
        return tuple(int(word) for word in words)
    except ValueError:
        raise ValueError(f"--{name} must be integers separated by commas, got {','.join(words)}") from None


if __name__ == "__main__":
    launch(main, compiles=False)
