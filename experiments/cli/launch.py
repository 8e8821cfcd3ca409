"""How every script starts and how it fails."""

import errno
import functools
import sys
from collections.abc import Callable, Sequence

from absl import app, flags, logging

from experiments.cli.signals import exit_on_signals

EXPECTED = (ValueError, FloatingPointError, OSError)
"""What users, or their machines, may get wrong: it ends a script with a line."""


def launch(main: Callable[..., None], *, compiles: bool = True, positional_args: bool = False) -> None:
    """Reads the flags and calls `main`.

    Wrong flags, signals, and errors of values and files end the program with a line that says what is wrong.
    Compiled code is kept on disk, and libraries log warnings only unless --verbosity is given.

    Args:
      main: what the script does.
      compiles: whether it uses jax; if not, jax is not loaded.
      positional_args: whether `main` gets the words that are no flags, as arguments; if not, there may be none.
    """
    exit_on_signals()
    parse = functools.partial(_parse, positional_args=positional_args)
    app.run(lambda words: _run(functools.partial(main, *words[1:]), compiles), flags_parser=parse)


def _run(main: Callable[[], None], compiles: bool) -> None:
    if compiles:
        from nar.training import use_compilation_cache

        use_compilation_cache()
    if not flags.FLAGS["verbosity"].present:
        logging.set_verbosity(logging.WARNING)
    problem = _problem_of(main)
    if problem is not None:
        sys.exit(f"error: {problem}")


def _problem_of(main: Callable[[], None]) -> str | None:
    """What went wrong, if anything did. When it returns, what `main` had open is closed, as its bar is."""
    try:
        main()
    except EXPECTED as error:
        return explain(error)
    return None


def explain(error: BaseException) -> str:
    """What is wrong; of a file also which, and what to do if a disk is full."""
    if not isinstance(error, OSError) or error.filename is None:
        return str(error)
    text = f"{error.filename}: {error.strerror}"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        text += "; what was saved before is intact. Free some space, then run the same command to resume"
    return text


def _parse(words: Sequence[str], positional_args: bool) -> list[str]:
    try:
        rest = flags.FLAGS(list(words))
    except flags.Error as error:
        sys.exit(f"error: {error}\nSee --help.")
    except (AttributeError, ImportError, KeyError, OSError, SyntaxError, TypeError, ValueError) as error:
        # A config file that cannot be read, or a --config.KEY that it does not have.
        sys.exit(f"error: --config: {_message(error)}")
    if len(rest) > 1 and not positional_args:
        sys.exit(f"error: unexpected arguments: {' '.join(rest[1:])}\nSee --help.")
    return rest


def _message(error: BaseException) -> str:
    """The words of an error, which may be wrapped in others."""
    inner = error.args[0] if error.args else ""
    return _message(inner) if isinstance(inner, BaseException) else str(inner)
