"""Texts as a Hugging Face data set (`datasets`, extra `text`), finite or infinite, generated on the fly."""

import importlib
import itertools
import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from nar.algorithms import find_algorithm
from nar.text.rendering.sample_texts import sample_texts
from nar.traces.sample import check_count

FEATURES = {
    "text": "string",
    "question": "string",
    "answer": "string",
    "algorithm": "string",
    "length": "int32",
    "use_hints": "bool",
}
"""Columns and their types, the same as in the files of `experiments.make_text`."""

Series = tuple[str, int, int]
"""Algorithm, length, seed."""


def text_dataset(
    lengths: Mapping[str, Sequence[int]],
    count: int | None = None,
    *,
    seed: int = 0,
    use_hints: bool = False,
    decimals: int | None = 3,
) -> Any:
    """Data set of texts of several algorithms and lengths, mixed at random, with the columns `FEATURES`.

    Its rows equal those of `clrs_generator` of dm-clrs 2.0.3 with the same arguments (whose `algo_name` is
    `algorithm` here). For large sets, write files once with `experiments.make_text` and load them with
    `datasets.load_dataset("json", data_files=...)`.

    Args:
      lengths: lengths of each algorithm.
      count: number of texts; None for infinitely many.
      seed: seed of each series of texts and of the mixing.
      use_hints: whether texts include the hints.
      decimals: decimals to which inputs are truncated.

    Returns:
      A `datasets.Dataset` in memory, or a `datasets.IterableDataset` if `count` is None.

    Raises:
      ValueError: if `datasets` is not installed, or an argument is invalid.
    """
    if count is not None:
        check_count("count", count, minimum=1)
    # A tuple: lists in `gen_kwargs` are shards, which `datasets` reads one after another.
    series = tuple((name, length, seed) for name, sizes in lengths.items() for length in sizes)
    request = {"series": series, "seed": seed, "use_hints": use_hints, "decimals": decimals}
    rows = mixed_rows(**request)
    datasets = _import_datasets()
    features = datasets.Features({name: datasets.Value(kind) for name, kind in FEATURES.items()})
    if count is None:
        return datasets.IterableDataset.from_generator(mixed_rows, features=features, gen_kwargs=request)
    selected = list(itertools.islice(rows, count))
    return datasets.Dataset.from_dict(
        {name: [row[name] for row in selected] for name in FEATURES}, features=features
    )


def mixed_rows(
    series: Sequence[Series], seed: int, use_hints: bool, decimals: int | None
) -> Iterator[dict[str, Any]]:
    """Infinite iterator over rows: each is the next one of a randomly chosen series.

    Raises:
      ValueError: immediately, if an argument is invalid.
    """
    if not series:
        raise ValueError("no algorithms and lengths are given")
    texts = [
        sample_texts(name, length, None, start, use_hints=use_hints, decimals=decimals)
        for name, length, start in series
    ]
    names = [find_algorithm(name).name for name, _, _ in series]
    return _mixed([*zip(texts, names, (length for _, length, _ in series), strict=True)], seed, use_hints)


def _mixed(parts: list[tuple[Any, str, int]], seed: int, use_hints: bool) -> Iterator[dict[str, Any]]:
    pick = random.Random(seed)
    while True:
        texts, name, length = pick.choice(parts)
        text = next(texts)
        values = (text.text, text.question, text.answer, name, length, use_hints)
        yield dict(zip(FEATURES, values, strict=True))


def _import_datasets() -> Any:
    try:
        return importlib.import_module("datasets")
    except ImportError:
        raise ValueError("datasets is not installed: pip install 'nar-jax[text]'") from None
