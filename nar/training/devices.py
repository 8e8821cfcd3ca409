"""Devices: one mesh with one axis, the same code from one CPU to a pod.

Batches are split over the axis `data`; states are copies everywhere. Under `jit` the compiler does the rest.
"""

import dataclasses
import os
import pathlib
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from nar.traces import TraceBatch


@dataclasses.dataclass(frozen=True)
class Devices:
    """All devices of all processes as one axis."""

    mesh: Mesh

    @classmethod
    def all(cls) -> "Devices":
        """Every device that jax sees."""
        return cls(Mesh(np.array(jax.devices()), ("data",)))

    def check_batch_size(self, batch_size: int) -> None:
        """Raises ValueError unless batches can be split evenly."""
        if batch_size % self.mesh.size:
            raise ValueError(f"batch_size {batch_size} must be a multiple of the {self.mesh.size} devices")

    def make_state(self, init: Callable[[], Any]) -> Any:
        """The result of `init()`, made on all devices at once, so that it shares memory with nothing."""
        return jax.jit(init, out_shardings=NamedSharding(self.mesh, PartitionSpec()))()

    def put_state(self, tree: Any) -> Any:
        """A tree of numpy arrays as copies on all devices."""
        return self.make_state(lambda: jax.tree.map(jax.numpy.asarray, tree))

    def put_batch(self, batch: TraceBatch) -> TraceBatch:
        """This process's share of a batch as part of the whole one."""

        def put(value: np.ndarray, axis: int) -> jax.Array:
            spec = PartitionSpec(*(None,) * axis, "data")
            value = value.astype(np.float32) if value.dtype == np.float64 else value
            return jax.make_array_from_process_local_data(NamedSharding(self.mesh, spec), value)

        return TraceBatch(
            inputs={name: put(value, 0) for name, value in batch.inputs.items()},
            hints={name: put(value, 1) for name, value in batch.hints.items()},
            outputs={name: put(value, 0) for name, value in batch.outputs.items()},
            lengths=put(batch.lengths, 0),
            num_nodes=None if batch.num_nodes is None else put(batch.num_nodes, 0),
        )

    @property
    def must_wait(self) -> bool:
        """Whether each step must be waited for: several CPU devices in one process can deadlock otherwise."""
        return self.mesh.size > 1 and self.mesh.devices.flat[0].platform == "cpu"


def use_compilation_cache() -> None:
    """Keeps compiled code on disk, in `$JAX_COMPILATION_CACHE_DIR` or the user's cache folder."""
    if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
        home = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache")
        jax.config.update("jax_compilation_cache_dir", str(home / "nar" / "jax"))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)
