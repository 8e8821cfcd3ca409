"""How predictions are compiled: for a CPU with the matrix products of Eigen."""

import functools
from collections.abc import Mapping

import jax

EIGEN: Mapping[str, str] = {"xla_cpu_experimental_ynn_fusion_type": ""}
"""What tells jax's compiler for CPUs to leave YNNPACK out.

It makes one operation of chains of products like that of the messages of an `MPNN`. Without a gradient, which
needs what is in between, such chains are long, and product after product they take less time.
"""


def options_for(platform: str) -> dict[str, str] | None:
    """`compiler_options` of `jax.jit` for programs that predict on a platform: cpu, gpu or tpu."""
    return dict(EIGEN) if platform == "cpu" and _is_known() else None


@functools.cache
def _is_known() -> bool:
    """Whether this version of jax has the option, which is an experimental one."""
    try:
        jax.jit(lambda: 0, compiler_options=dict(EIGEN)).lower().compile()
    except jax.errors.JaxRuntimeError:
        return False
    return True
