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
    r"((^|[^a-z])(auth|authori[sz]ation|bearer|cookies?|credentials?|hmac|jwt|otp|(db|my|user)?pass|pat|pin|"
    r"psk|pw|sas|session([^a-z]*id)?|sig|signature|webhook|(api|access|private|secret|account|auth|shared|signing)[^a-z]*keys?)|"
    r"passphrase|passcode|passwd|passwor[dt]s?|pwd|secrets?|token|(api|access)keys?)($|[^a-z])"
)
"""Words of keys under which strings and numbers are secret."""
_SECRET_TYPES = (str, int, float)
_WORDS_OF_TEXTS = re.compile(r"(^|[^a-z])(key|tokens)$")
"""Last words of keys under which only strings are secret: `num_tokens` is a number."""

_NAMES, _VALUE = ("name", "key", "header"), "value"
"""Keys of an object that has a name and a value, such as a header."""

_WORD = re.compile(r"\S+")
_LOGIN = re.compile(r"(?<![^\s\"'(\[{,;=])([^\s:@/\"']{1,100}(?:@[\w.-]{1,100})?):[^\s:@/]{1,200}@(?=[\w\[])")
"""user:password@host, without what makes an address of it."""

_PAIR = re.compile(rf"(?<![\w.-])([\w.-]+)([\"']?\s*[=:]\s*[\"']?)(?!{HIDDEN}|//)([^&;#\s\"']+)")
_FLAG = re.compile(rf"(?:(?<=\s)|^)(--?[\w-]+)(\s+)(?!{HIDDEN})([^\s-]\S*)")
_HEADER = re.compile(r"(?i)\b(bearer|basic)\s+\S+|\b(authori[sz]ation[\"']?\s*[:=]\s*).+")
_HOOK = re.compile(r"(?<=//)(hooks\.[^/\s]+|[^/\s]*(?:discord|webhook)[^/\s]*|api\.telegram\.org)/\S+")
_FORM = re.compile(
    r"\b(gh[opsur]_|github_pat_|glpat-|hf_|sk-|xox[a-z]-|AKIA)[\w-]{8,}|\beyJ[\w-]{1,500}\.eyJ[\w-]+\.[\w-]+"
)
"""Tokens of well-known services, by their form."""
_PRIVATE_KEY = re.compile(r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----.*", re.DOTALL)


def without_secrets(config: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of a config, as nested dictionaries, in which secrets are replaced by `HIDDEN`."""
    training = config.get("training")
    if not isinstance(training, Mapping):
        return dict(config)
    hidden = {key: _hide(training[key]) for key in _OPTIONS if key in training}
    return {**config, "training": {**training, **hidden}}


def has_secrets(config: Mapping[str, Any]) -> bool:
    """Returns True if `without_secrets` would change the config."""
    return without_secrets(config) != dict(config)


def hide_in_message(message: str, options: Any) -> str:
    """A message, such as that of an error, without the secrets in a tracker's options."""
    pairs = set(_secrets(options, _hide(options)))
    for secret, shown in sorted(pairs, key=lambda pair: len(pair[0]), reverse=True):
        message = message.replace(secret, shown)
    return _hide_in_text(message)


def check_no_hidden(config: Mapping[str, Any]) -> None:
    """Raises ValueError if a config has `HIDDEN` in place of a secret, since it was read from a workdir."""
    training = config.get("training", {})
    for key in _OPTIONS:
        if HIDDEN in str(training.get(key)):
            raise ValueError(
                f"training.{key} has {HIDDEN} in place of a secret, which no workdir keeps: give it again, "
                "or set an environment variable of the tracker"
            )


def _hide(value: Any, secret_types: tuple[type, ...] = ()) -> Any:
    """A copy of a value without its secrets; all values of `secret_types` in it are secret, by their key."""
    if isinstance(value, Mapping):
        names = {_VALUE: next((value[name] for name in _NAMES if name in value), "")}
        return {
            key: _hide(one, secret_types or _secret_types(key) or _types_after(names.get(key), is_flag=False))
            for key, one in value.items()
        }
    if isinstance(value, list | tuple):
        before = [None, *value]  # Of arguments such as ["--token", "..."] and pairs such as ["token", "..."].
        return type(value)(
            _hide(one, secret_types or _types_after(name, is_flag=len(value) != 2))
            for name, one in zip(before, value, strict=False)
        )
    if isinstance(value, secret_types) and value != "" and not isinstance(value, bool):
        return HIDDEN
    return _hide_in_text(value) if isinstance(value, str) else value


def _types_after(name: Any, *, is_flag: bool) -> tuple[type, ...]:
    """Types of the values that are secret after a name: that of a flag, or any other."""
    if not isinstance(name, str):
        return ()
    if name.startswith("-"):
        return _secret_types(name) if "=" not in name else ()
    return _SECRET_TYPES if not is_flag and _secret_types(name) == _SECRET_TYPES else ()


def _secret_types(key: Any) -> tuple[type, ...]:
    """Types of the values that are secret under a key."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", str(key)).lower()
    if _WORDS.search(words):
        return _SECRET_TYPES
    return (str,) if _WORDS_OF_TEXTS.search(words) else ()


def _hide_in_text(text: str) -> str:
    text = _PRIVATE_KEY.sub(HIDDEN, _FORM.sub(HIDDEN, _WORD.sub(_hide_user, text)))
    text = _LOGIN.sub(rf"\1:{HIDDEN}@", text)
    text = _HOOK.sub(rf"\1/{HIDDEN}", text)
    text = _HEADER.sub(lambda match: f"{match[2]}{HIDDEN}" if match[2] else f"{match[1]} {HIDDEN}", text)
    for pattern in (_PAIR, _FLAG):
        text = pattern.sub(_hide_value, text)
    return text


def _hide_user(match: re.Match[str]) -> str:
    start, end = _user_in(match[0])
    return f"{match[0][:start]}{HIDDEN}{match[0][end:]}" if start < end else match[0]


def _user_in(address: str) -> tuple[int, int]:
    """Start and end of the user and password in an address; the start is not before the end without them."""
    start = address.find("//")
    return (start + 2, address.rfind("@")) if start >= 0 else (0, 0)


def _hide_value(match: re.Match[str]) -> str:
    return f"{match[1]}{match[2]}{HIDDEN if _secret_types(match[1]) else match[3]}"


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
        for address in _WORD.findall(str(value)):
            start, end = _user_in(address)
            user = address[start : max(start, end)]
            yield from ((part, HIDDEN) for part in (user, user.partition(":")[2]) if part)
