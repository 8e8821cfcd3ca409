"""Check of a whole processor, for tests of custom processors."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import jax
import jax.numpy as jnp

from nar.processors.registry import ProcessorFactory, check_options, find_processor
from nar.processors.validation.inputs import BATCH, NODES
from nar.processors.validation.interface import check_interface
from nar.processors.validation.subject import Subject
from nar.processors.validation.values import check_values


def check_processor(
    processor: ProcessorFactory | str,
    options: Mapping[str, Any] = MappingProxyType({}),
    *,
    hidden_size: int = 8,
    permutation_equivariant: bool = True,
    bfloat16: bool = True,
) -> None:
    """Checks everything that nar requires of a processor, except that it learns.

    Outputs must be a `ProcessorOutput` with the shapes and dtypes documented there, for every number of nodes
    and in float32 and bfloat16, and memory must keep the structure, shapes and dtypes of `initial_memory`.
    Parameters must be float32 and independent of the number of graphs and nodes. Computations must be
    possible under `jax.jit`, need no random key outside of training, and have finite results and gradients.
    Results for a graph must not depend on the other graphs of its batch, on padding nodes, or on whether
    edges are factored; and nodes in another order must have the same results, in that order.

    Nothing is trained; it takes a few seconds, most of them for compilation.

    Args:
      processor: a class or function called as `(hidden_size, **options)`, or its name: a key of `PROCESSORS`
        or `module:ATTRIBUTE`.
      options: options of the processor.
      hidden_size: H, also the number of features.
      permutation_equivariant: whether to check the order of nodes.
      bfloat16: whether to check bfloat16; not needed for a processor that is only trained in float32.

    Raises:
      ValueError: if there is no such processor, it cannot be called, or an option is invalid.
      TypeError: if an option is unknown, or the result has not the methods of a processor.
      AssertionError: if a check fails; the message has the given shapes, the expected and the actual result.
    """
    factory = find_processor(processor)
    check_options(factory, hidden_size, options)
    name = processor if isinstance(processor, str) else getattr(processor, "__name__", repr(processor))
    subject = Subject(name, lambda: factory(hidden_size, **options), hidden_size)
    check_interface(subject, BATCH, NODES, jnp.float32)
    if bfloat16:
        check_interface(subject, BATCH, NODES, jnp.bfloat16)
    check_interface(subject, 1, 1, jnp.float32)
    check_interface(subject, 3, 2, jnp.float32)
    with jax.default_matmul_precision("highest"):
        check_values(subject, permutation_equivariant, bfloat16)
