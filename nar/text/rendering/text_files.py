"""Sets of texts on disk: a folder of JSON-lines files, written atomically, and a manifest.

A line has the keys `text` (question and answer together), `question`, `answer`, `algorithm`, `length` and
`use_hints`. Lines are in the order of the published sets: by algorithm, then length, then seed. The lines of
one algorithm and length are in one file, or in several if there are many. `manifest.json` holds the request,
and the number of lines and the SHA-256 of each finished file; a file without such an entry, or that differs
from it, is made again.
"""

import dataclasses
import hashlib
import json
import os
import pathlib
import re
from collections.abc import Iterator, Mapping
from typing import Any

from nar.algorithms import find_algorithm
from nar.atomic_io import atomic_write, remove_temporary_files, set_aside, temporary_files, write_text
from nar.ownership import HOLDER, LOCK, check_owned
from nar.reading import open_regular, parse_json, read_bytes
from nar.text.rendering.compose import Text
from nar.text.rendering.sample_texts import TraceSeries, sample_texts

FORMAT, FORMAT_VERSION = "nar-texts", 2
MANIFEST = "manifest.json"

MAX_LINES_PER_FILE = 10_000
"""Unit of work: an interrupted process starts its current file from scratch."""


@dataclasses.dataclass(frozen=True)
class TextRequest:
    """Specification of a set of texts.

    Attributes:
      lengths: lengths of each algorithm, in order; algorithms are named as for `nar.run_algorithm`.
      samples: number of texts for each algorithm, length and seed.
      seeds: seeds, in order.
      use_hints: whether texts include the hints.
      decimals: decimals to which inputs are truncated; 0 keeps all digits.
    """

    lengths: Mapping[str, tuple[int, ...]]
    samples: int
    seeds: tuple[int, ...]
    use_hints: bool = False
    decimals: int = 0

    def check(self) -> None:
        """Raises ValueError if the request is invalid."""
        for what, value in (("algorithms", self.lengths), ("seeds", self.seeds)):
            if not value:
                raise ValueError(f"no {what} are given")
        for name, lengths in self.lengths.items():
            if not lengths:
                raise ValueError(f"no lengths are given for {name}")
            for what, values in ((f"lengths of {name}", lengths), ("seeds", self.seeds)):
                if len(set(values)) < len(values):
                    raise ValueError(f"{what} must differ, got {list(values)}")
            for length in lengths:
                TraceSeries(name, length, self.seeds[0], decimals=self.decimals)
        for seed in self.seeds:
            sample_texts(next(iter(self.lengths)), next(iter(self.lengths.values()))[0], self.samples, seed)
        if self.samples < 1:
            raise ValueError(f"samples must be at least 1, got {self.samples}")

    def files(self) -> list["TextFile"]:
        """Files of the set, in order."""
        pairs = [(name, length) for name, lengths in self.lengths.items() for length in lengths]
        total, limit = self.samples * len(self.seeds), MAX_LINES_PER_FILE
        chunks = [
            (*pair, first, min(limit, total - first)) for pair in pairs for first in range(0, total, limit)
        ]
        digits = max(5, len(str(len(chunks))))
        return [
            TextFile(f"{k:0{digits}}-{find_algorithm(name).name}-{length}.jsonl", name, length, first, count)
            for k, (name, length, first, count) in enumerate(chunks)
        ]

    def as_json(self) -> dict[str, Any]:
        """Returns the request as JSON values."""
        lengths = {name: list(values) for name, values in self.lengths.items()}
        return {**dataclasses.asdict(self), "lengths": lengths, "seeds": list(self.seeds)}


@dataclasses.dataclass(frozen=True)
class FileEntry:
    """The entry of a finished file in the manifest.

    Attributes:
      lines: number of lines.
      sha256: SHA-256 of its bytes.
    """

    lines: int
    sha256: str


def entry_of(path: pathlib.Path) -> FileEntry:
    """Lines and SHA-256 of a file.

    Raises:
      OSError: if it cannot be read.
    """
    digest, lines = hashlib.sha256(), 0
    with open_regular(path) as file:
        while block := file.read(2**20):
            digest.update(block)
            lines += block.count(b"\n")
    return FileEntry(lines, digest.hexdigest())


@dataclasses.dataclass(frozen=True)
class TextFile:
    """One file of a set: lines `first` to `first + count - 1` of an algorithm and length, over all seeds."""

    name: str
    algorithm: str
    length: int
    first: int
    count: int

    def lines(self, request: TextRequest) -> Iterator[str]:
        """Yields the lines of the file, with line endings."""
        algorithm = find_algorithm(self.algorithm)
        done, end = self.first, self.first + self.count
        while done < end:
            seed_index, first = divmod(done, request.samples)
            count = min(end - done, request.samples - first)
            options: dict[str, Any] = {"use_hints": request.use_hints, "decimals": request.decimals}
            seed = request.seeds[seed_index]
            for text in sample_texts(algorithm, self.length, count, seed, first=first, **options):
                yield json_line(text, algorithm.name, self.length, request.use_hints)
            done += count

    def write(self, folder: pathlib.Path, request: TextRequest) -> FileEntry:
        """Writes the file atomically, and returns its entry in the manifest."""
        digest = hashlib.sha256()
        with atomic_write(folder / self.name) as file:
            for line in map(str.encode, self.lines(request)):
                file.write(line)
                digest.update(line)
        return FileEntry(self.count, digest.hexdigest())


def json_line(text: Text, algorithm: str, length: int, use_hints: bool) -> str:
    """Formats a row like `json.dumps`, but escapes question and answer only once."""
    question, answer = json.dumps(text.question)[1:-1], json.dumps(text.answer)[1:-1]
    rest = json.dumps({"algorithm": algorithm, "length": length, "use_hints": use_hints})
    texts = f'"text": "{question}{answer}", "question": "{question}", "answer": "{answer}"'
    return f"{{{texts}, {rest[1:]}\n"


# ---------------------------------------------------------------------------------------------------
# The folder


def check_folder(folder: pathlib.Path, request: TextRequest) -> None:
    """Checks that a folder is missing, empty or of the same request; nothing is written.

    Raises:
      ValueError: if it holds anything else; the message lists the differences.
    """
    path = folder / MANIFEST
    if path.exists():
        _check_same(folder, _read_manifest(path)["request"], request)
    elif folder.exists() and set(folder.iterdir()) - {
        *(folder / name for name in (LOCK, HOLDER)),
        *temporary_files(folder, _written(request)),
    }:
        raise ValueError(f"{folder} is not empty and does not hold a set of texts; choose another folder")


def claim_folder(folder: pathlib.Path, request: TextRequest) -> None:
    """Creates the folder, or checks that it holds the same request; removes partially written files.

    Raises:
      ValueError: if it holds anything else; the message lists the differences.
    """
    check_folder(folder, request)
    folder.mkdir(parents=True, exist_ok=True)
    remove_temporary_files(folder, _written(request))
    if not (folder / MANIFEST).exists():
        write_manifest(folder, request, {})


def find_intact_files(
    folder: pathlib.Path, request: TextRequest
) -> tuple[dict[str, FileEntry], dict[str, str]]:
    """Compares the files of a claimed folder with its manifest.

    Returns:
      The entries of intact files by name; and the files that differ from their entry, or have another number
      of lines: name -> the name under which it was set aside, such as `NAME.damaged`.

    Raises:
      OSError: if a file cannot be read.
    """
    check_owned(folder)
    saved = _read_manifest(folder / MANIFEST)["files"]
    intact, damaged = dict[str, FileEntry](), dict[str, str]()
    for file in request.files():
        path = folder / file.name
        if file.name not in saved or not path.exists():
            continue  # A file without an entry was not finished.
        entry = entry_of(path) if path.is_file() else None
        if entry is not None and entry.lines == file.count and saved[file.name] == dataclasses.asdict(entry):
            intact[file.name] = entry
        else:
            damaged[file.name] = set_aside(path, f"{file.name}.damaged").name
    return intact, damaged


def check_text_file(path: pathlib.Path) -> None:
    """Checks a file of texts against the manifest of its folder, if that has an entry of it.

    Raises:
      ValueError: if it differs, or the manifest is damaged.
    """
    manifest = path.parent / MANIFEST
    if not os.path.lexists(manifest):
        return
    try:
        content = parse_json(read_bytes(manifest))
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            return  # That of another program.
        saved = _read_manifest(manifest)["files"].get(path.name)
    except (OSError, ValueError) as error:
        raise ValueError(
            f"{path} cannot be compared with {manifest} ({error}); copy it elsewhere to use it as it is"
        ) from None
    if saved is None:
        return
    entry = dataclasses.asdict(entry_of(path))
    if saved != entry:
        raise ValueError(
            f"{path} is damaged: it has {entry['lines']} lines and the SHA-256 {entry['sha256'][:8]}..., but "
            f"{path.parent / MANIFEST} says {saved}; make the set again, with the same command"
        )


def write_manifest(folder: pathlib.Path, request: TextRequest, entries: Mapping[str, FileEntry]) -> None:
    """Writes the manifest, with the entries of the finished files by name."""
    names = [file.name for file in request.files()]
    manifest = {
        "format": FORMAT,
        "version": FORMAT_VERSION,
        "request": request.as_json(),
        "complete": all(name in entries for name in names),
        "lines": sum(entry.lines for entry in entries.values()),
        "files": {name: dataclasses.asdict(entries[name]) for name in names if name in entries},
    }
    write_text(folder / MANIFEST, json.dumps(manifest, indent=1) + "\n")


def _written(request: TextRequest) -> re.Pattern[str]:
    """Matches the names of the files of a set."""
    return re.compile(
        "|".join(re.escape(name) for name in (MANIFEST, *(file.name for file in request.files())))
    )


def _read_manifest(path: pathlib.Path) -> Mapping[str, Any]:
    try:
        manifest = parse_json(read_bytes(path))
        if (manifest["format"], manifest["version"]) == (FORMAT, FORMAT_VERSION):
            return {"request": dict(manifest["request"]), "files": dict(manifest["files"])}
    except (KeyError, TypeError, ValueError):
        pass
    raise ValueError(f"{path} is not a manifest of a set of texts of version {FORMAT_VERSION}")


def _check_same(folder: pathlib.Path, saved: Mapping[str, Any], request: TextRequest) -> None:
    requested = request.as_json()
    differences = [
        f"  {key}: {json.dumps(saved.get(key))} saved, {json.dumps(requested.get(key))} requested"
        for key in {**requested, **saved}
        if json.dumps(saved.get(key)) != json.dumps(requested.get(key))  # the order of algorithms counts too
    ]
    if differences:
        raise ValueError(
            "\n".join([f"{folder} holds texts of another request; choose another folder:", *differences])
        )
