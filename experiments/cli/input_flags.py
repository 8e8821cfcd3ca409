"""The flag for problems of the user, and the words about their numbers, of `predict` and `show`."""

import sys
from collections.abc import Sequence

from absl import flags

SCALE_INPUTS = flags.DEFINE_bool(
    "scale_inputs",
    True,
    "Whether to change numbers of --input outside of the range of training where that does not change the "
    "answer.",
)


def print_warnings(messages: Sequence[str]) -> None:
    """Prints warnings to standard error, so that standard output remains the result."""
    for message in messages:
        print(f"warning: {message}", file=sys.stderr)
