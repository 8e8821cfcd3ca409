"""Trace files: one self-describing file per batch.

A file is a plain `.npz`, so `numpy.load` can read it. Its arrays are `inputs/NAME`, `hints/NAME`,
`outputs/NAME`, `lengths` and, with padded nodes, `num_nodes`, as in a `TraceBatch`. The array `about` holds
JSON in UTF-8: format, version, algorithm, spec, origin of the traces, and version of nar.
"""

import dataclasses
import io
import json
import os
import pathlib
import zipfile
import zlib
from collections.abc import Mapping
from typing import Any, BinaryIO

import numpy as np

from nar.algorithms import find_algorithm
from nar.algorithms.algorithm import check_name
from nar.atomic_io import atomic_write
from nar.kinds import KINDS
from nar.plugins import UnknownNameError
from nar.reading import check_archive_size, open_regular, parse_json
from nar.specs import Location, Probe, Spec, Stage
from nar.traces.trace import TraceBatch

FORMAT = "nar-traces"
FORMAT_VERSION = 1

_COMPRESSION_LEVEL = 1
"""Fastest zlib level: one-hot vectors and masks compress well at every level."""

_GROUPS = ("inputs", "hints", "outputs")
"""Groups of arrays, the fields of `TraceBatch`: streams and answers are stored with hints."""

Path = str | os.PathLike[str]


@dataclasses.dataclass(frozen=True)
class StoredTraces:
    """Content of a trace file.

    Attributes:
      batch: the traces.
      name: name of the algorithm.
      spec: spec of the batch.
      origin: how the traces were generated (size, seed, options, ...), as passed to `save_traces`.
      nar_version: version of nar that saved them.
    """

    batch: TraceBatch
    name: str
    spec: Spec
    origin: Mapping[str, Any]
    nar_version: str


def save_traces(path: Path, batch: TraceBatch, *, name: str, spec: Spec | None = None, **origin: Any) -> None:
    """Writes a batch to a file, atomically.

    Args:
      path: output file, conventionally `.npz`; overwritten if it exists.
      batch: traces.
      name: their algorithm.
      spec: spec of the batch; defaults to that of the algorithm, which untransformed traces have.
      **origin: how the traces were generated, as JSON values: `size=16, seed=0, options={"p": 0.5}`.

    Raises:
      ValueError: if the batch does not match the spec or is a time chunk, or the origin is not
        JSON-serializable.
    """
    algorithm = find_algorithm(name)
    if batch.offsets is not None:
        raise ValueError("only whole traces can be saved, not time chunks")
    if batch.neighbors is not None:
        raise ValueError("traces with neighbor lists cannot be saved; save those of dense arrays")
    spec = algorithm.spec if spec is None else spec
    arrays = _arrays(batch)
    _check_arrays(arrays, spec)
    about = {
        "format": FORMAT,
        "version": FORMAT_VERSION,
        "algorithm": algorithm.name,
        "spec": [_probe_to_json(probe) for probe in spec.values()],
        "origin": origin,
        "nar": _nar_version(),
    }
    try:
        text = json.dumps(about, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ValueError(f"the origin of traces must be JSON-serializable: {error}") from None
    arrays = {"about": np.frombuffer(text.encode(), np.uint8), **arrays}
    with atomic_write(pathlib.Path(path)) as file:
        _write_arrays(file, arrays)


def load_traces(path: Path) -> StoredTraces:
    """Reads a file written by `save_traces`, without executing anything from it (no pickle).

    Raises:
      FileNotFoundError: if the file does not exist.
      ValueError: if it is damaged, is no trace file, or has another format version; if the name of its
        algorithm is not well-formed; or if names, shapes, dtypes or lengths of its arrays do not match its
        spec; or if the module of a custom kind has not been imported.
    """
    path = pathlib.Path(path)
    arrays = _read_arrays(path)
    try:
        about = parse_json(arrays.pop("about").tobytes())
        is_trace_file = about["format"] == FORMAT
    except (KeyError, TypeError, ValueError):
        is_trace_file, about = False, {}
    if not is_trace_file:
        raise ValueError(f"{path} is not a trace file of nar")
    if about.get("version") != FORMAT_VERSION:
        raise ValueError(
            f"{path} has format version {about.get('version')}; nar {_nar_version()} reads {FORMAT_VERSION}"
        )
    try:
        name, origin, nar_version = about["algorithm"], about["origin"], about["nar"]
        check_name(name)
        if not isinstance(origin, dict) or not isinstance(nar_version, str):
            raise ValueError(f"origin and version of nar cannot be {origin!r} and {nar_version!r}")
        spec = Spec(_probe_from_json(row) for row in about["spec"])
        _check_arrays(arrays, spec)
        return StoredTraces(_batch(arrays, spec), name, spec, origin, nar_version)
    except UnknownNameError as error:
        raise ValueError(f"{path}: {error}; import the module that registers the kind first") from None
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is damaged: {error}") from None


# ---------------------------------------------------------------------------------------------------
# Arrays


def _arrays(batch: TraceBatch) -> dict[str, np.ndarray]:
    arrays = {
        f"{stage}/{name}": np.asarray(value)
        for stage in _GROUPS
        for name, value in getattr(batch, stage).items()
    }
    arrays["lengths"] = np.asarray(batch.lengths)
    if batch.num_nodes is not None:
        arrays["num_nodes"] = np.asarray(batch.num_nodes)
    return arrays


def _batch(arrays: Mapping[str, np.ndarray], spec: Spec) -> TraceBatch:
    inputs, hints, outputs = (
        {probe.name: arrays[f"{group}/{probe.name}"] for probe in _probes(spec, group)} for group in _GROUPS
    )
    return TraceBatch(inputs, hints, outputs, arrays["lengths"], arrays.get("num_nodes"))


def _check_arrays(arrays: Mapping[str, np.ndarray], spec: Spec) -> None:
    """Raises ValueError unless names, shapes and dtypes of the arrays match the spec."""
    names = {f"{group}/{probe.name}" for group in _GROUPS for probe in _probes(spec, group)}
    if set(arrays) - {"num_nodes"} != names | {"lengths"}:
        raise ValueError(f"the spec has {sorted(names)}, but the traces have {sorted(arrays)}")
    num_nodes = _count_nodes(arrays, spec)
    any_number = (np.iinfo(np.int32).max,)  # of steps, if there are no hints
    num_steps = min((arrays[f"hints/{probe.name}"].shape[:1] for probe in spec.per_step), default=any_number)
    batch_size = len(_checked_counts("lengths", arrays["lengths"], *(num_steps or [0])))
    for group in _GROUPS:
        for probe in _probes(spec, group):
            name = f"{group}/{probe.name}"
            value = arrays[name]
            leading = (*num_steps, batch_size) if probe.stage.is_per_step else (batch_size,)
            expected = leading + probe.shape(num_nodes)
            if value.shape != expected:
                raise ValueError(f"{name} must have the shape {expected}, got {value.shape}")
            if not np.can_cast(value.dtype, probe.dtype, "same_kind"):
                raise ValueError(f"{name} must have the dtype {probe.dtype}, got {value.dtype}")
    if "num_nodes" in arrays:
        counts = _checked_counts("num_nodes", arrays["num_nodes"], num_nodes)
        if len(counts) != batch_size:
            raise ValueError(f"num_nodes must have the shape {(batch_size,)}, got {counts.shape}")


def _probes(spec: Spec, group: str) -> tuple[Probe, ...]:
    return {"inputs": spec.inputs, "hints": spec.per_step, "outputs": spec.outputs}[group]


def _count_nodes(arrays: Mapping[str, np.ndarray], spec: Spec) -> int:
    with_nodes = [probe for probe in spec.inputs if probe.location is not Location.GRAPH]
    sizes = {arrays[f"inputs/{probe.name}"].shape[1:2] for probe in with_nodes}
    if len(sizes) != 1 or () in sizes:
        raise ValueError(f"all inputs must have the same number of nodes, got {sorted(sizes)}")
    return sizes.pop()[0]


def _checked_counts(name: str, value: np.ndarray, largest: int) -> np.ndarray:
    """Returns an array, checked to have one axis of integers between 0 and `largest`."""
    if value.ndim != 1 or value.dtype.kind not in "iu":  # numpy counts timedelta64 as an integer type
        raise ValueError(
            f"{name} must be an array of integers with one axis, got {value.dtype} of shape {value.shape}"
        )
    wrong = value[(value < 0) | (value > largest)]
    if wrong.size:
        raise ValueError(f"{name} must lie between 0 and {largest}, got {wrong[0]}")
    return value


def _write_arrays(file: BinaryIO, arrays: Mapping[str, np.ndarray]) -> None:
    """Like `numpy.savez_compressed`, but faster and deterministic (no timestamps)."""
    with zipfile.ZipFile(file, "w") as archive:
        for name, array in arrays.items():
            member = io.BytesIO()
            np.lib.format.write_array(member, array, allow_pickle=False)
            info = zipfile.ZipInfo(f"{name}.npy")
            archive.writestr(info, member.getvalue(), zipfile.ZIP_DEFLATED, _COMPRESSION_LEVEL)


def _read_arrays(path: pathlib.Path) -> dict[str, np.ndarray]:
    try:
        with open_regular(path) as file, zipfile.ZipFile(file) as archive:
            check_archive_size(archive)
            return {  # Reading a member also verifies its checksum.
                name.removesuffix(".npy"): np.lib.format.read_array(
                    io.BytesIO(archive.read(name)), allow_pickle=False
                )
                for name in archive.namelist()
            }
    except FileNotFoundError:
        raise
    except (OSError, EOFError, NotImplementedError, RuntimeError) as error:
        raise ValueError(f"{path} cannot be read: {error}") from None
    except (ValueError, MemoryError, zipfile.BadZipFile, zlib.error, SyntaxError) as error:
        raise ValueError(f"{path} is damaged or not a trace file: {error}") from None


# ---------------------------------------------------------------------------------------------------
# Specs as JSON


def _probe_to_json(probe: Probe) -> list[Any]:
    return [probe.name, probe.stage.value, probe.location.value, probe.kind.name, probe.num_classes]


def _probe_from_json(row: list[Any]) -> Probe:
    name, stage, location, kind, num_classes = row
    return Probe(name, Stage(stage), Location(location), KINDS[kind], num_classes)


def _nar_version() -> str:
    import nar  # at the top of this module it would be a circular import

    return nar.__version__
