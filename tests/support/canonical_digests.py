"""Digests of the canonical splits of CLRS-30, which `python tests/support/canonical_digests.py` writes.

dm-clrs takes a quarter of an hour for all splits. So it generates them here once, and the program writes the
digests of ours after it has compared each of them, whole, with that of dm-clrs. Tests compare whole splits
with the digests, and the first traces of each with dm-clrs.
"""

import hashlib
import json
import pathlib

import numpy as np

from nar import ALGORITHMS
from nar.traces import CLRS30_SPLITS, TraceBatch, clrs30_split

PATH = pathlib.Path(__file__).parents[1] / "traces" / "canonical_splits.json"
DECIMALS = 6
"""Decimals that digests depend on: functions of the system, such as sine, differ in the last bits."""


def digest_of(batch: TraceBatch) -> str:
    """Digest of the names, types, shapes and values of a batch."""
    digest = hashlib.blake2b(digest_size=16)
    for stage, probes in batch.to_dict().items():
        for name, value in probes.items() if isinstance(probes, dict) else [(stage, probes)]:
            array = np.asarray(value)
            if array.dtype.kind == "f":
                array = np.round(array, DECIMALS) + 0.0  # +0.0, since -0.0 has other bytes
            digest.update(f"{stage} {name} {array.dtype} {array.shape}".encode())
            digest.update(np.ascontiguousarray(array))
    return digest.hexdigest()


def main() -> None:
    """Compares every split with dm-clrs, and writes the digests."""
    import oracle
    from trace_checks import assert_same

    from nar.data import take

    digests: dict[str, dict[str, str]] = {}
    for name, algorithm in ALGORITHMS.items():
        if not algorithm.in_clrs30:
            continue
        for split, one in CLRS30_SPLITS.items():
            found, origin = clrs30_split(name, split, cache=False), one.origin(algorithm)
            arguments = origin["size"], origin["count"], origin["seed"]
            for indices, expected in oracle.sample_in_batches(name, *arguments, batch_size=8):
                assert_same(take(found, indices), expected, tolerance=1e-9)
            digests.setdefault(name, {})[split] = digest_of(found)
            print(name, split, digests[name][split], flush=True)
    PATH.write_text(json.dumps(digests, indent=1) + "\n")


if __name__ == "__main__":
    main()
