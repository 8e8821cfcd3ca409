"""Precision of matrix products: full float32 in scoring, the platform's default in training.

Accelerators multiply float32 matrices in reduced precision unless told otherwise, which changes scores of
exact matches at large sizes. Scoring therefore asks for the highest precision on every platform.
"""

import contextlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import jax

SCORING_PRECISION = "highest"
"""Value of `jax_default_matmul_precision` in scoring."""

_DEFAULTS: Mapping[str, str] = MappingProxyType({"gpu": "tensorfloat32", "tpu": "bfloat16"})
"""Platform -> precision in which float32 matrices are multiplied by default, if it is reduced."""


def scoring_precision() -> contextlib.AbstractContextManager[Any]:
    """Context in which programs multiply float32 matrices in full float32."""
    return jax.default_matmul_precision(SCORING_PRECISION)


def describe_precision(dtype: str, platform: str) -> dict[str, str]:
    """Precision of the matrix products of training and of scoring, as results and evaluations record it.

    Args:
      dtype: compute dtype of the network, `model.precision` of its config.
      platform: cpu, gpu or tpu.

    Returns:
      `training` and `scoring`, the precision of products ("float32", "tensorfloat32", "bfloat16");
      `training_setting` and `scoring_setting`, the value of `jax_default_matmul_precision`; and `platform`.
    """
    setting = jax.config.jax_default_matmul_precision  # pyright: ignore[reportAttributeAccessIssue]
    return {
        "training": _products(dtype, platform, setting),
        "training_setting": setting or "default",
        "scoring": _products(dtype, platform, SCORING_PRECISION),
        "scoring_setting": SCORING_PRECISION,
        "platform": platform,
    }


def scoring_only(precision: Mapping[str, str]) -> dict[str, str]:
    """The entries of `describe_precision` for scoring, without those for training."""
    return {key: value for key, value in precision.items() if not key.startswith("training")}


def _products(dtype: str, platform: str, setting: str | None) -> str:
    """The precision in which matrices of a dtype are multiplied."""
    if dtype != "float32" or platform == "cpu" or setting in ("highest", "float32"):
        return dtype
    return _DEFAULTS.get(platform, "default") if setting in (None, "default") else setting
