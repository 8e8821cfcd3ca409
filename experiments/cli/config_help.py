"""The keys of a config as text: for `--help`, and for docs/config.md.

python -m experiments.cli.config_help > docs/config.md
"""

from collections.abc import Collection

from nar.runs.config import RunConfig
from nar.runs.schema import Key, Section
from nar.runs.text_config import TextRunConfig

_PAGE = """\
# Config keys

Every key with its default, from `nar/runs/config.py` and `nar/runs/text_config.py`. On the command line,
`--config.KEY=VALUE` overrides a key; in Python, `config.merged({{"training": {{"steps": 500}}}})` does.

## Graph networks

`nar.RunConfig`, the config of `configs/base.py`:

{graph}

## Language models

`nar.TextRunConfig`, the config of `configs/text_small.py`. Keys of `training` without a description are
described above:

{text}
"""


def help_text(config: Section) -> str:
    """A line per key: path, default and description."""
    return "\n".join(f"{key.path} ({key.value!r}): {_description(key)}" for key in config.describe())


def config_page() -> str:
    """The page docs/config.md."""
    known = {(key.path, key.description) for key in RunConfig().describe() if "training." in key.path}
    return _PAGE.format(graph=_table(RunConfig(), set()), text=_table(TextRunConfig(), known))


def _table(config: Section, known: Collection[tuple[str, str]]) -> str:
    """A table of keys; those in `known` are not described again."""
    rows = ["| key | default | |", "|---|---|---|"]
    for key in config.describe():
        description = "" if (key.path, key.description) in known else _description(key)
        cells = (f"`{key.path}`", f"`{key.value!r}`", description)
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def _description(key: Key) -> str:
    return f"{key.description} May change when a run is resumed." if key.mutable else key.description


if __name__ == "__main__":
    print(config_page(), end="")
