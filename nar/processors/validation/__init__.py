"""Contract checks for new processors."""
