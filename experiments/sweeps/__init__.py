"""The trials of a sweep: what they are, what their files say, and who runs them."""
