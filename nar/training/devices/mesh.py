"""Devices: one mesh with one axis, the same code from one CPU to a pod.

Batches are split over the axis `data`; states are copies everywhere. Under `jit` the compiler does the rest.
"""

import dataclasses
import os
import pathlib
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from nar.traces import TraceBatch


@dataclasses.dataclass(frozen=True)
class Devices:
    """Some devices, of one process or of all, as one axis."""

    mesh: Mesh

    @classmethod
    def all(cls) -> "Devices":
        """Every device of every process; those of a process are neighbours."""
        return cls.of(sorted(jax.devices(), key=lambda device: (device.process_index, device.id)))

    @classmethod
    def one(cls) -> "Devices":
        """The first device of this process, for work that no other process takes part in."""
        return cls.of(jax.local_devices()[:1])

    @classmethod
    def of(cls, devices: Sequence[Any]) -> "Devices":
        """These devices."""
        return cls(Mesh(np.array(devices), ("data",)))

    @property
    def platform(self) -> str:
        """What they are: cpu, gpu or tpu."""
        return self.mesh.devices.flat[0].platform

    @property
    def num_processes(self) -> int:
        """How many processes the devices belong to."""
        return len({device.process_index for device in self.mesh.devices.flat})

    @property
    def process(self) -> int:
        """The number of this process among them."""
        return jax.process_index() if self.num_processes > 1 else 0

    @property
    def replicated(self) -> NamedSharding:
        """A copy on each device."""
        return NamedSharding(self.mesh, PartitionSpec())

    def check_batch_size(self, batch_size: int) -> None:
        """Raises ValueError unless batches can be split evenly."""
        if batch_size % self.mesh.size:
            of = f" of {self.num_processes} processes" if self.num_processes > 1 else ""
            raise ValueError(
                f"batch_size {batch_size} must be a multiple of the {self.mesh.size} devices{of}"
            )

    def round_up(self, batch_size: int) -> int:
        """The next batch size that can be split evenly."""
        return -(-batch_size // self.mesh.size) * self.mesh.size

    def process_slice(self, batch_size: int) -> slice:
        """Which rows of a batch that can be split evenly are this process's."""
        rows = batch_size // self.num_processes
        return slice(self.process * rows, (self.process + 1) * rows)

    def make_state(self, init: Callable[[], Any]) -> Any:
        """The result of `init()`, new arrays that are the same in each process, on all devices."""
        return jax.device_put(init(), self.replicated) if self.num_processes == 1 else self.put_state(init())

    def state_shapes(self, init: Callable[[], Any]) -> Any:
        """Shapes of what `make_state` makes, with their places; nothing is computed."""

        def placed(leaf: jax.ShapeDtypeStruct) -> jax.ShapeDtypeStruct:
            return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=self.replicated)

        return jax.tree.map(placed, jax.eval_shape(init))

    def put_state(self, tree: Any) -> Any:
        """Arrays that are the same in each process, copied to all devices; they share memory with nothing."""
        return jax.jit(lambda tree: jax.tree.map(jnp.copy, tree), out_shardings=self.replicated)(tree)

    def put_batch(self, batch: TraceBatch, leading: int = 0) -> TraceBatch:
        """This process's share of a batch as part of the whole one.

        Args:
          batch: of numpy arrays.
          leading: how many axes they have before those of a `TraceBatch`; each device has them whole.
        """

        def put(path: tuple[Any, ...], value: np.ndarray) -> jax.Array:
            before = leading + (path[0].name == "hints")
            spec = PartitionSpec(*(None,) * before, "data")
            value = value.astype(np.float32) if value.dtype == np.float64 else value
            return jax.make_array_from_process_local_data(NamedSharding(self.mesh, spec), value)

        return jax.tree_util.tree_map_with_path(put, batch)

    def any(self, flag: bool) -> jax.Array:
        """Whether the flag is set in any process: a scalar, the same everywhere."""
        rows = np.full(self.mesh.size // self.num_processes, flag)
        sharding = NamedSharding(self.mesh, PartitionSpec("data"))
        flags = jax.make_array_from_process_local_data(sharding, rows)
        return jax.jit(jnp.any, out_shardings=self.replicated)(flags)

    @property
    def is_single_cpu(self) -> bool:
        """Whether all is computed by one CPU, by itself."""
        return self.mesh.size == 1 and self.mesh.devices.flat[0].platform == "cpu"

    @property
    def must_block(self) -> bool:
        """Whether each step must be waited for: several CPU devices in one process can deadlock otherwise."""
        return self.mesh.size > 1 and self.mesh.devices.flat[0].platform == "cpu"


def use_compilation_cache() -> None:
    """Keeps compiled code on disk, in `$JAX_COMPILATION_CACHE_DIR` or the user's cache folder."""
    if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
        home = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache")
        jax.config.update("jax_compilation_cache_dir", str(home / "nar" / "jax"))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
