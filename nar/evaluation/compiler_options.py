"""Compiler options for inference: on CPU, matrix products by Eigen."""

import functools
from collections.abc import Mapping

import jax

EIGEN: Mapping[str, str] = {"xla_cpu_experimental_ynn_fusion_type": ""}
"""Options that disable YNNPACK fusion in XLA's CPU backend.

YNNPACK fuses chains of matrix products, such as those of the messages of an `MPNN`. Without a gradient, which
needs the intermediate values, these chains are long, and running the products one by one is faster.
"""


def options_for(platform: str) -> dict[str, str] | None:
    """Returns the `compiler_options` of `jax.jit` for inference on a platform: cpu, gpu or tpu."""
    return dict(EIGEN) if platform == "cpu" and _is_supported() else None


@functools.cache
def _is_supported() -> bool:
    """Checks that this version of jax has the option, which is experimental."""
    try:
        jax.jit(lambda: 0, compiler_options=dict(EIGEN)).lower().compile()
    except jax.errors.JaxRuntimeError:
        return False
    return True
