"""Redaction of secrets in the options of trackers and callbacks: they are passed on, but never written.

A secret is a value under a key such as `api_key`, `token` or `password`, or a part of an address:
`https://user:password@host`, `https://host?token=...`. An environment variable of the tracker, such as
WANDB_API_KEY or MLFLOW_TRACKING_PASSWORD, is better: then no config has it.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

HIDDEN = "<secret>"
"""Stands for a secret in whatever is written."""

_OPTIONS = ("tracker_options", "callback_options")
"""Keys of the section `training` whose values may have secrets."""

_WORDS = re.compile(
    r"(^|[^a-z])(auth|authorization|bearer|cookies?|credentials?|pass|passphrase|passwd|passwords?|pw|pwd|secrets?|"
    r"token|webhook|(api|access|private|secret|account|auth|shared|signing)[^a-z]*keys?)($|[^a-z])"
)
_USER = re.compile(r"(?<=//)\S+(?=@)")
_QUERY = re.compile(r"(?:(?<=[?&;\s])|^)([^=&;#?\s]+)=([^&;#\s]+)")
_HEADER = re.compile(r"(?i)\b(bearer|basic)\s+\S+")
_HOOK = re.compile(r"(?<=//)(hooks\.[^/\s]+|[^/\s]*discord[^/\s]*)/\S+")


def without_secrets(config: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of a config, as nested dictionaries, in which secrets are replaced by `HIDDEN`."""
    training = config.get("training")
    if not isinstance(training, Mapping):
        return dict(config)
    hidden = {key: _hide(training[key], False) for key in _OPTIONS if key in training}
    return {**config, "training": {**training, **hidden}}


def has_secrets(config: Mapping[str, Any]) -> bool:
    """Returns True if `without_secrets` would change the config."""
    return without_secrets(config) != dict(config)


def hide_in_message(message: str, options: Any) -> str:
    """A message, such as that of an error, without the secrets in a tracker's options."""
    pairs = set(_secrets(options, _hide(options, False)))
    for secret, shown in sorted(pairs, key=lambda pair: len(pair[0]), reverse=True):
        message = message.replace(secret, shown)
    return _hide_in_address(message)


def check_no_hidden(config: Mapping[str, Any]) -> None:
    """Raises ValueError if a config has `HIDDEN` in place of a secret, since it was read from a workdir."""
    training = config.get("training", {})
    for key in _OPTIONS:
        if HIDDEN in str(training.get(key)):
            raise ValueError(
                f"training.{key} has {HIDDEN} in place of a secret, which no workdir keeps: give it again, "
                "or set an environment variable of the tracker"
            )


def _hide(value: Any, is_secret: bool) -> Any:
    """A copy of a value without its secrets; all strings in it are secret if its key says so."""
    if isinstance(value, Mapping):
        return {key: _hide(one, is_secret or _is_secret_key(key)) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_hide(one, is_secret) for one in value)
    if is_secret and value is not None and value != "" and not isinstance(value, bool):
        return HIDDEN
    return _hide_in_address(value) if isinstance(value, str) else value


def _is_secret_key(key: Any) -> bool:
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", str(key)).lower()
    return bool(_WORDS.search(words)) or words in ("apikey", "authtoken", "accesstoken", "accesskey")


def _hide_in_address(text: str) -> str:
    text = _USER.sub(HIDDEN, text)
    text = _HOOK.sub(rf"\1/{HIDDEN}", _HEADER.sub(rf"\1 {HIDDEN}", text))
    return _QUERY.sub(lambda match: f"{match[1]}={HIDDEN if _is_secret_key(match[1]) else match[2]}", text)


def _secrets(value: Any, hidden: Any) -> Iterator[tuple[str, str]]:
    """Pairs of a text with a secret and the text to show: strings of a value, and the users in addresses."""
    if isinstance(value, Mapping):
        for key in value:
            yield from _secrets(value[key], hidden[key])
    elif isinstance(value, list | tuple):
        for one, other in zip(value, hidden, strict=True):
            yield from _secrets(one, other)
    elif value != hidden:
        yield str(value), str(hidden)
        for user in _USER.findall(str(value)):
            yield from ((part, HIDDEN) for part in (user, user.partition(":")[2]) if part)
