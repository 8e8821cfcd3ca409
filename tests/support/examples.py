"""How many examples the tests draw that draw some: few in `make test`, many in `make test-rest`."""

import os

NUM_EXAMPLES = int(os.environ.get("NAR_TEST_EXAMPLES", "30"))
EXAMPLES_PER_ALGORITHM = NUM_EXAMPLES // 4
"""Where they are drawn for each of thirty algorithms."""
