"""The flags that select the checkpoint of a run, the same in every script that loads one."""

from absl import flags

CHECKPOINT = flags.DEFINE_enum("checkpoint", "best", ["best", "last"], "Checkpoint of the run to load.")
CHECKPOINT_FALLBACK = flags.DEFINE_bool(
    "checkpoint_fallback",
    False,
    "Whether the best (or last) of the intact checkpoints may take the place of one that is lost.",
)
