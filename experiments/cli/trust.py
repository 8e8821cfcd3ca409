"""The flag by which a user trusts a run that comes from elsewhere."""

from absl import flags

TRUST = flags.DEFINE_bool(
    "trust",
    False,
    "Import and call code outside nar that the config of the run names (module:ATTRIBUTE); without it, a run "
    "with such names is not loaded. Pass it for your own runs and those of people you trust.",
)
