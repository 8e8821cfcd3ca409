"""Data parallelism on a one-dimensional device mesh; the same code runs on one CPU and on a TPU pod.

Batches are sharded over the axis `data` and states are replicated; under `jit` the compiler does the rest.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from nar.machine import count_cores

BatchT = TypeVar("BatchT")


def check_platform() -> None:
    """Checks that jax has the devices that `JAX_PLATFORMS` names; this initializes jax.

    Raises:
      ValueError: if it has not, such as for JAX_PLATFORMS=cuda on a machine without a GPU.
    """
    try:
        jax.devices()
    except (RuntimeError, AssertionError) as error:
        platforms = jax.config.jax_platforms  # pyright: ignore[reportAttributeAccessIssue]
        reason = str(error).partition("(set JAX_PLATFORMS")[0].strip() or "it finds none"
        raise ValueError(
            f"jax has no device of JAX_PLATFORMS={platforms or ''}: {reason}. "
            "Unset JAX_PLATFORMS, or set it to a platform of this machine, such as cpu"
        ) from None


@dataclasses.dataclass(frozen=True)
class Devices:
    """A one-dimensional mesh of devices, of one process or of all."""

    mesh: Mesh

    @classmethod
    def all(cls) -> "Devices":
        """All devices of all processes, ordered by process."""
        check_platform()
        return cls.of(sorted(jax.devices(), key=lambda device: (device.process_index, device.id)))

    @classmethod
    def one(cls) -> "Devices":
        """The first device of this process, for computations without the other processes."""
        check_platform()
        return cls.of(jax.local_devices()[:1])

    @classmethod
    def of(cls, devices: Sequence[Any]) -> "Devices":
        """A mesh of the given devices."""
        return cls(Mesh(np.array(devices), ("data",)))

    @property
    def platform(self) -> str:
        """Platform of the devices: cpu, gpu or tpu."""
        return self.mesh.devices.flat[0].platform

    @property
    def num_processes(self) -> int:
        """Number of processes that the devices belong to."""
        return len({device.process_index for device in self.mesh.devices.flat})

    @property
    def process(self) -> int:
        """Index of this process among them."""
        return jax.process_index() if self.num_processes > 1 else 0

    @property
    def replicated(self) -> NamedSharding:
        """Sharding with a full copy on each device."""
        return NamedSharding(self.mesh, PartitionSpec())

    def describe(self) -> dict[str, Any]:
        """Platform, kind and number of the devices, and the CPU cores that this process may use."""
        return {
            "platform": self.platform,
            "device_kind": self.mesh.devices.flat[0].device_kind,
            "devices": self.mesh.size,
            "processes": self.num_processes,
            "cpu_cores": count_cores(),
        }

    def check_batch_size(self, batch_size: int) -> None:
        """Raises ValueError unless the batch size is a multiple of the number of devices."""
        if batch_size % self.mesh.size:
            suffix = f" of {self.num_processes} processes" if self.num_processes > 1 else ""
            raise ValueError(
                f"batch_size {batch_size} must be a multiple of the {self.mesh.size} devices{suffix}"
            )

    def round_up(self, batch_size: int) -> int:
        """The smallest multiple of the number of devices that is at least `batch_size`."""
        return -(-batch_size // self.mesh.size) * self.mesh.size

    def process_slice(self, batch_size: int) -> slice:
        """The rows of a global batch that this process loads."""
        rows = batch_size // self.num_processes
        return slice(self.process * rows, (self.process + 1) * rows)

    def make_state(self, init: Callable[[], Any]) -> Any:
        """Replicates the result of `init()`: new arrays, the same in each process."""
        return jax.device_put(init(), self.replicated) if self.num_processes == 1 else self.put_state(init())

    def state_shapes(self, init: Callable[[], Any]) -> Any:
        """Shapes, types and shardings of the result of `make_state`, without computing it."""

        def with_sharding(leaf: jax.ShapeDtypeStruct) -> jax.ShapeDtypeStruct:
            return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=self.replicated)

        return jax.tree.map(with_sharding, jax.eval_shape(init))

    def put_state(self, tree: Any) -> Any:
        """Replicates arrays that are the same in each process; the result shares no memory with them."""
        return jax.jit(lambda tree: jax.tree.map(jnp.copy, tree), out_shardings=self.replicated)(tree)

    def put_batch(self, batch: BatchT, num_leading_axes: int = 0) -> BatchT:
        """Makes the global, sharded batch from this process's rows of it.

        Args:
          batch: this process's rows, as NumPy arrays, perhaps with views.
          num_leading_axes: number of axes before those of a `TraceBatch`; they are not sharded.
        """

        def put(path: tuple[Any, ...], value: np.ndarray) -> jax.Array:
            is_hint = any(getattr(key, "name", "") == "hints" for key in path)
            batch_axis = num_leading_axes + is_hint
            spec = PartitionSpec(*(None,) * batch_axis, "data")
            value = value.astype(np.float32) if value.dtype == np.float64 else value
            return jax.make_array_from_process_local_data(NamedSharding(self.mesh, spec), value)

        return jax.tree_util.tree_map_with_path(put, batch)

    def any(self, flag: bool) -> jax.Array:
        """Logical or of a flag over all processes: a replicated scalar."""
        rows = np.full(self.mesh.size // self.num_processes, flag)
        sharding = NamedSharding(self.mesh, PartitionSpec("data"))
        flags = jax.make_array_from_process_local_data(sharding, rows)
        return jax.jit(jnp.any, out_shardings=self.replicated)(flags)

    @property
    def is_single_cpu(self) -> bool:
        """True if the mesh is a single CPU device."""
        return self.mesh.size == 1 and self.mesh.devices.flat[0].platform == "cpu"

    @property
    def must_block(self) -> bool:
        """True for several CPU devices, which can deadlock in one process unless each step is waited for."""
        return self.mesh.size > 1 and self.mesh.devices.flat[0].platform == "cpu"
