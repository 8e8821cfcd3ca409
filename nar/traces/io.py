"""Traces on disk: one file a batch, which says what it holds.

A file is a plain `.npz`: `numpy.load` opens it anywhere. Its arrays are `inputs/NAME`, `hints/NAME`,
`outputs/NAME`, `lengths` and, if nodes are padded, `num_nodes`, as in a `TraceBatch`; `about` is JSON in
UTF-8: format, version, algorithm, spec, how the traces were made, and by which release of nar.
"""

import dataclasses
import io
import json
import os
import pathlib
import secrets
import zipfile
import zlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from nar.algorithms import find_algorithm
from nar.specs import Kind, Location, Probe, Spec, Stage
from nar.traces.trace import TraceBatch

FORMAT = "nar-traces"
FORMAT_VERSION = 1

_COMPRESSION_LEVEL = 1
"""Level of compression: one-hot vectors and masks shrink well at any."""

_STAGES = {"inputs": Stage.INPUT, "hints": Stage.HINT, "outputs": Stage.OUTPUT}

Path = str | os.PathLike[str]


@dataclasses.dataclass(frozen=True)
class StoredTraces:
    """What a file holds.

    Attributes:
      batch: the traces.
      name: of the algorithm.
      spec: of the batch.
      origin: how the traces were made (size, seed, options, ...), as it was said when they were saved.
      nar_version: of the release that saved them.
    """

    batch: TraceBatch
    name: str
    spec: Spec
    origin: Mapping[str, Any]
    nar_version: str


def save_traces(path: Path, batch: TraceBatch, *, name: str, spec: Spec | None = None, **origin: Any) -> None:
    """Writes a batch to a file, whole or not at all.

    Args:
      path: of the file, `.npz` by custom; it is replaced if it is there.
      batch: traces.
      name: of their algorithm.
      spec: of the batch; by default that of the algorithm, which raw traces have.
      **origin: how the traces were made, in values that JSON knows: `size=16, seed=0, options={"p": 0.5}`.

    Raises:
      ValueError: if the batch does not fit the spec, or JSON does not know a value.
    """
    algorithm = find_algorithm(name)
    spec = algorithm.spec if spec is None else spec
    arrays = _arrays(batch)
    _check_arrays(arrays, spec)
    about = {
        "format": FORMAT,
        "version": FORMAT_VERSION,
        "algorithm": algorithm.name,
        "spec": [_row(probe) for probe in spec.values()],
        "origin": origin,
        "nar": _nar_version(),
    }
    try:
        text = json.dumps(about, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ValueError(f"the origin of traces must be JSON: {error}") from None
    arrays = {"about": np.frombuffer(text.encode(), np.uint8), **arrays}
    write_atomically(pathlib.Path(path), lambda part: _write_arrays(part, arrays))


def load_traces(path: Path) -> StoredTraces:
    """Reads what `save_traces` wrote; nothing in a file is executed.

    Raises:
      FileNotFoundError: if there is no such file.
      ValueError: if it is damaged, holds something else, or is of a newer format than this release knows.
    """
    path = pathlib.Path(path)
    arrays = _read_arrays(path)
    try:
        about = json.loads(arrays.pop("about").tobytes())
        foreign = about["format"] != FORMAT
    except (KeyError, TypeError, ValueError):
        foreign, about = True, {}
    if foreign:
        raise ValueError(f"{path} holds no traces of nar")
    if about.get("version") != FORMAT_VERSION:
        raise ValueError(
            f"{path} is of format version {about.get('version')}; nar {_nar_version()} reads {FORMAT_VERSION}"
        )
    try:
        spec = Spec(_probe(row) for row in about["spec"])
        _check_arrays(arrays, spec)
        return StoredTraces(_batch(arrays, spec), about["algorithm"], spec, about["origin"], about["nar"])
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is damaged: {error}") from None


def write_atomically(path: pathlib.Path, write: Callable[[pathlib.Path], None]) -> None:
    """Lets `write` make a file beside `path`, and renames it when it is complete."""
    part = path.with_name(f".{path.name}.{secrets.token_hex(8)}.part")
    try:
        write(part)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


# ---------------------------------------------------------------------------------------------------
# Arrays of a file


def _arrays(batch: TraceBatch) -> dict[str, np.ndarray]:
    arrays = {
        f"{stage}/{name}": np.asarray(value)
        for stage in _STAGES
        for name, value in getattr(batch, stage).items()
    }
    arrays["lengths"] = np.asarray(batch.lengths)
    if batch.num_nodes is not None:
        arrays["num_nodes"] = np.asarray(batch.num_nodes)
    return arrays


def _batch(arrays: Mapping[str, np.ndarray], spec: Spec) -> TraceBatch:
    stages = {
        stage: {probe.name: arrays[f"{stage}/{probe.name}"] for probe in spec.at(_STAGES[stage])}
        for stage in _STAGES
    }
    return TraceBatch(**stages, lengths=arrays["lengths"], num_nodes=arrays.get("num_nodes"))


def _check_arrays(arrays: Mapping[str, np.ndarray], spec: Spec) -> None:
    """Raises ValueError unless the arrays are those of a batch with this spec."""
    names = {f"{stage}/{probe.name}" for stage in _STAGES for probe in spec.at(_STAGES[stage])}
    if set(arrays) - {"num_nodes"} != names | {"lengths"}:
        raise ValueError(f"the spec asks for {sorted(names)}, the traces have {sorted(arrays)}")
    lengths = arrays["lengths"]
    with_nodes = [probe for probe in spec.inputs if probe.location is not Location.GRAPH]
    sizes = {arrays[f"inputs/{probe.name}"].shape[1:2] for probe in with_nodes}
    if len(sizes) != 1 or () in sizes:
        raise ValueError(f"the inputs do not have one number of nodes, but {sorted(sizes)}")
    num_nodes = sizes.pop()[0]
    for stage, at in _STAGES.items():
        for probe in spec.at(at):
            value = arrays[f"{stage}/{probe.name}"]
            leading = value.shape[:1] + lengths.shape if at is Stage.HINT else lengths.shape
            if value.shape != leading + probe.shape(num_nodes):
                raise ValueError(f"{stage}/{probe.name} has the shape {value.shape}, unlike its spec")


def _write_arrays(path: pathlib.Path, arrays: Mapping[str, np.ndarray]) -> None:
    """As `numpy.savez_compressed`, but quicker, and the same bytes whenever it is called."""
    with zipfile.ZipFile(path, "x") as archive:
        for name, array in arrays.items():
            member = io.BytesIO()
            np.lib.format.write_array(member, array, allow_pickle=False)
            info = zipfile.ZipInfo(f"{name}.npy")
            archive.writestr(info, member.getvalue(), zipfile.ZIP_DEFLATED, _COMPRESSION_LEVEL)


def _read_arrays(path: pathlib.Path) -> dict[str, np.ndarray]:
    try:
        with zipfile.ZipFile(path) as archive:  # reading a member also checks its sum
            return {
                name.removesuffix(".npy"): np.lib.format.read_array(
                    io.BytesIO(archive.read(name)), allow_pickle=False
                )
                for name in archive.namelist()
            }
    except FileNotFoundError:
        raise
    except (OSError, EOFError, NotImplementedError, RuntimeError) as error:
        raise ValueError(f"{path} cannot be read: {error}") from None
    except (ValueError, zipfile.BadZipFile, zlib.error, SyntaxError) as error:
        raise ValueError(f"{path} is damaged or holds no traces: {error}") from None


# ---------------------------------------------------------------------------------------------------
# Specs as JSON


def _row(probe: Probe) -> list[Any]:
    return [probe.name, probe.stage.value, probe.location.value, probe.kind.value, probe.num_classes]


def _probe(row: list[Any]) -> Probe:
    name, stage, location, kind, num_classes = row
    return Probe(name, Stage(stage), Location(location), Kind(kind), num_classes)


def _nar_version() -> str:
    import nar  # when this room is first imported, nar itself is not there yet

    return nar.__version__
