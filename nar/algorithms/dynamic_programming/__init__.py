"""Dynamic-programming algorithms."""
