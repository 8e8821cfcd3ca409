"""Makes the files of a set of texts, in parallel; without flags, so that any process can import it."""

import concurrent.futures
import multiprocessing
import multiprocessing.connection
import os
import pathlib
import signal
import threading
import time
from collections.abc import Iterator, Sequence

from nar.algorithms import find_algorithm
from nar.ownership import own_folder
from nar.progress import ProgressBar
from nar.signals import stop_signals
from nar.text.rendering.text_files import (
    FileEntry,
    TextFile,
    TextRequest,
    find_intact_files,
    write_manifest,
)

_PAUSE = 1.0
"""Seconds between writes of the manifest; files that it does not name are made again if interrupted."""


def make_set(folder: pathlib.Path, request: TextRequest, num_workers: int) -> None:
    """Makes the missing and the damaged files of a claimed folder, and prints a summary."""
    files, (entries, damaged) = request.files(), find_intact_files(folder, request)
    for name, kept in damaged.items():
        print(f"{folder / name} differs from the manifest: kept as {kept}, and made again")
    missing = [file for file in files if file.name not in entries]
    start = written = time.perf_counter()
    total = sum(file.count for file in files)
    new = sum(file.count for file in missing)
    with ProgressBar(
        total=total, initial=total - new, desc="making", unit=" texts", disable=not missing
    ) as bar:
        for file, entry in make_files(folder, request, missing, num_workers):
            entries[file.name] = entry
            if time.perf_counter() - written > _PAUSE or len(entries) == len(files):
                write_manifest(folder, request, entries)
                written = time.perf_counter()
            bar.update(file.count)
            bar.set_postfix_str(f"{find_algorithm(file.algorithm).name}, {file.length}")
    seconds = time.perf_counter() - start
    size = sum((folder / file.name).stat().st_size for file in files) / 1e6
    print(
        f"{folder}: {total} texts in {len(files)} files, {size:.1f} MB; "
        f"{new} of them new, made in {seconds:.1f} s ({new / max(seconds, 1e-9):,.0f} per second)"
    )


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
