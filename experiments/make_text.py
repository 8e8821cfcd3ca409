"""Generates a set of CLRS-Text (arXiv 2406.04229) as JSON lines, identical to the output of dm-clrs 2.0.3.

    python -m experiments.make_text --split=val --output=texts/val --workers=4
    python -m experiments.make_text --split=train --algorithms=minimum,quicksort --hints --output=texts/two
    python -m experiments.make_text --algorithms=my:MINE --lengths=4,8 --samples=99 --seeds=0 --output=mine

By default, a split is the published set: `train` has 10,000 texts for each algorithm and length, `val` 625,
at lengths up to 64. The same command on the same folder resumes an interrupted set; files do not depend on
the number of workers; files that differ from the manifest are made again. Only one command at a time may
write to a folder. `nar.text.rendering.text_files` documents the format.
"""

import concurrent.futures
import multiprocessing
import multiprocessing.connection
import os
import pathlib
import signal
import threading
import time
from collections.abc import Iterator, Sequence

from absl import flags

from experiments.cli.launch import launch
from experiments.cli.paths import define_path
from nar.algorithms import find_algorithm
from nar.cores import count_cores
from nar.ownership import own_folder
from nar.problems.options import OPTION_CHECKS
from nar.progress import ProgressBar
from nar.signals import stop_signals
from nar.text import TEXT_SETS, TextSet
from nar.text.rendering.text_files import (
    FileEntry,
    TextFile,
    TextRequest,
    claim_folder,
    find_intact_files,
    write_manifest,
)

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
    claim_folder(folder, request)
    with own_folder(folder):
        make_set(folder, request)


def make_set(folder: pathlib.Path, request: TextRequest) -> None:
    """Makes the missing and the damaged files of a claimed folder, and prints a summary."""
    files, (entries, damaged) = request.files(), find_intact_files(folder, request)
    for name in damaged:
        print(f"{folder / name} differs from the manifest: kept as {name}.damaged, and made again")
    missing = [file for file in files if file.name not in entries]
    start, total = time.perf_counter(), sum(file.count for file in files)
    new = sum(file.count for file in missing)
    with ProgressBar(
        total=total, initial=total - new, desc="making", unit=" texts", disable=not missing
    ) as bar:
        for file, entry in make_files(folder, request, missing, _WORKERS.value or count_cores()):
            entries[file.name] = entry
            write_manifest(folder, request, entries)
            bar.update(file.count)
            bar.set_postfix_str(f"{find_algorithm(file.algorithm).name}, {file.length}")
    seconds = time.perf_counter() - start
    size = sum((folder / file.name).stat().st_size for file in files) / 1e6
    print(
        f"{folder}: {total} texts in {len(files)} files, {size:.1f} MB; "
        f"{new} of them new, made in {seconds:.1f} s ({new / max(seconds, 1e-9):,.0f} per second)"
    )


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


# ---------------------------------------------------------------------------------------------------
# Processes


def make_files(
    folder: pathlib.Path, request: TextRequest, files: Sequence[TextFile], num_workers: int
) -> Iterator[tuple[TextFile, FileEntry]]:
    """Makes files in parallel, and yields each when it is finished, with its entry in the manifest."""
    if num_workers == 1 or len(files) < 2:
        for file in files:
            yield file, file.write(folder, request)
        return
    context = multiprocessing.get_context("spawn")
    num_workers = min(num_workers, len(files))
    pool = concurrent.futures.ProcessPoolExecutor(
        num_workers, context, initializer=_start_worker, initargs=(folder,)
    )
    try:
        futures = {pool.submit(file.write, folder, request): file for file in files}
        for future in concurrent.futures.as_completed(futures):
            yield futures[future], future.result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _start_worker(folder: pathlib.Path) -> None:
    """Makes a worker ignore signals, which its parent handles, end with its parent, and own the folder."""
    own_folder(folder).__enter__()
    for number in stop_signals():
        signal.signal(number, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)


if __name__ == "__main__":
    launch(main, compiles=False)
