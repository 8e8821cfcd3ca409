"""String matching."""
