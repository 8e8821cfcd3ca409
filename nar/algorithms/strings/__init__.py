"""String-matching algorithms."""
