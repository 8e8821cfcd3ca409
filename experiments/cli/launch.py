"""Entry point of every script: flags, signals and error messages."""

import errno
import functools
import os
import re
import sys
from collections.abc import Callable, Sequence

from absl import app, flags, logging

from experiments.cli.config_files import replace_config_name
from experiments.cli.config_words import check_config_words
from experiments.cli.signals import exit_on_signals
from experiments.cli.streams import make_streams_tolerant

EXPECTED = (ValueError, FloatingPointError, OSError)
"""Errors of users or their machines, which end a script with one line instead of a traceback."""


_FULL = (errno.ENOSPC, errno.EDQUOT)
"""Numbers of errors of full disks."""


def launch(main: Callable[..., None], *, compiles: bool = True, positional_args: bool = False) -> None:
    """Parses the flags and calls `main`.

    Invalid flags, signals, and the errors in `EXPECTED` end the program with one line. The compilation cache
    is on, and only warnings are logged unless --verbosity is given. Output that cannot be encoded, or that
    no process reads, doesn't end the program.

    Args:
      main: the main function of the script.
      compiles: whether the script uses jax; if not, jax is not imported.
      positional_args: whether positional arguments are allowed and passed to `main`.
    """
    exit_on_signals()
    make_streams_tolerant()
    parse = functools.partial(_parse, positional_args=positional_args)
    app.run(lambda words: _run(functools.partial(main, *words[1:]), compiles), flags_parser=parse)


def _run(main: Callable[[], None], compiles: bool) -> None:
    if not flags.FLAGS["verbosity"].present:
        logging.set_verbosity(logging.WARNING)
    message = _error_message(main, compiles)
    if message is not None:
        sys.exit(f"error: {message}")


def _error_message(main: Callable[[], None], compiles: bool) -> str | None:
    """Calls `main` and returns its error, if any; by then, its context managers and bars are closed."""
    try:
        if compiles:
            from nar.training.devices import use_compilation_cache

            use_compilation_cache()
        main()
        sys.stdout.flush()
    except EXPECTED as error:
        return explain(error)
    except MemoryError as error:
        return f"out of memory: {error}" if str(error) else "out of memory"
    return None


def explain(error: BaseException) -> str:
    """The message of an error, with the file name for an OSError and advice for a full disk."""
    if not isinstance(error, OSError) or error.filename is None:
        return str(error)
    text = f"{error.filename}: {error.strerror}"
    if error.errno in _FULL:
        text += "; what was saved before is intact. Free some space, then run the same command to resume"
    return text


def _parse(words: Sequence[str], positional_args: bool) -> list[str]:
    words = [
        _CONFIG_IN_HOME.sub(lambda match: match[1] + os.path.expanduser(match[2]), word) for word in words
    ]
    words = ["--help" if word == "-h" else word for word in words]
    if "config" in flags.FLAGS:
        try:
            words = check_config_words(replace_config_name(words))
        except Exception as error:  # of the config file, too
            sys.exit(f"error: {error if isinstance(error, ValueError) else f'--config: {error!r}'}")
        sys.argv[1:] = words[1:]  # where `ml_collections` looks for --config.KEY
    try:
        rest = flags.FLAGS(words)
    except flags.Error as error:
        sys.exit(f"error: {_explain_flags(error)}\nSee --help.")
    except (RecursionError, MemoryError):
        sys.exit("error: --config: a value is nested too deeply")
    except (AttributeError, ImportError, KeyError, OSError, SyntaxError, TypeError, ValueError) as error:
        is_output = isinstance(error, OSError) and error.errno in _FULL  # of --help
        sys.exit(f"error: {'' if is_output else '--config: '}{_message(error)}")
    if len(rest) > 1 and not positional_args:
        sys.exit(f"error: unexpected arguments: {' '.join(rest[1:])}\nSee --help.")
    return rest


_CONFIG_IN_HOME = re.compile(r"^(--?config=)(~[^/]*)(?=/)")
"""A config file in a home directory; other paths are expanded by `experiments.cli.paths`."""


def _explain_flags(error: flags.Error) -> str:
    """The message of an error in flags, which names all missing flags and what they are."""
    missing = re.findall(r"Flag --(\w+) must have a value other than None", str(error))
    lines = [f"--{name} is missing: {re.split('[;.] ', str(flags.FLAGS[name].help))[0]}" for name in missing]
    message = str(error)
    for pattern, noun in _NOT_NUMBERS.items():
        message = re.sub(pattern, lambda match, noun=noun: f"{noun}, got {match[1]}", message)
    return "\n".join(lines) or message


_NOT_NUMBERS = {
    r"invalid literal for int\(\) with base \d+: (.*)": "it must be a whole number",
    r"could not convert string to float: (.*)": "it must be a number",
}
"""Messages of Python for flags that are no numbers -> what they must be."""


def _message(error: BaseException) -> str:
    """The message of the innermost error of a chain of wrapped errors."""
    if isinstance(error, OSError):
        return explain(error)
    inner = error.args[0] if error.args else ""
    return _message(inner) if isinstance(inner, BaseException) else str(inner)
