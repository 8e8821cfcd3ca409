"""Number of examples of property-based tests: few in `make test`, many in `make test-rest`."""

import os

NUM_EXAMPLES = int(os.environ.get("NAR_TEST_EXAMPLES", "30"))
EXAMPLES_PER_ALGORITHM = NUM_EXAMPLES // 4
"""Number of examples of tests that are parametrized by all algorithms."""
