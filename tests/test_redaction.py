"""Secrets in options of trackers: hidden in everything that is written."""

import json
import time
import typing

import pytest
from quick_runs import config_of, quick_runs

import nar
from nar.redaction import HIDDEN, check_no_hidden, has_secrets, hide_in_message, without_secrets
from nar.runs.workdir import Workdir


def hidden(options):
    return without_secrets({"training": {"tracker_options": options}})["training"]["tracker_options"]


SECRET_KEYS = (
    *("api_key", "apiKey", "API_KEY", "wandb_api_key", "token", "authToken", "password", "secret"),
    *(
        "wandb_key",
        "encryption_key",
        "refreshtoken",
        "clientsecret",
        "mypassword",
        "dbpass",
        "userPwd",
        "tokens",
    ),
    *(
        "passcode",
        "github_pat",
        "jwt",
        "otp",
        "psk",
        "session_id",
        "passwort",
        "sas",
        "authorisation",
        "x-api-key",
        "client_secret",
    ),
    *("AWS_SECRET_ACCESS_KEY", "Authorization", "cookie", "credentials", "webhook"),
)


@pytest.mark.parametrize("key", SECRET_KEYS)
@pytest.mark.parametrize("wrap", [lambda value: value, lambda value: [value], lambda value: {"a": (value,)}])
def test_values_under_secret_keys_are_hidden(key, wrap):
    options = {"wandb": {"mode": "offline", "settings": {key: wrap("hunter2"), "n": 3}}}
    assert "hunter2" not in json.dumps(hidden(options)) and HIDDEN in json.dumps(hidden(options))
    assert hidden(options)["wandb"]["mode"] == "offline" and hidden(options)["wandb"]["settings"]["n"] == 3
    assert options["wandb"]["settings"][key] == wrap("hunter2")


@pytest.mark.parametrize(
    "address",
    [
        "https://user:hunter2@host:5000/path?x=1",
        "https://hunter2@host",
        "postgresql+psycopg2://user:hun/hunter2@host/db",
        "https://host/api?token=hunter2&q=1",
        "https://host/api?q=1&access_token=hunter2#end",
        "host=db password=hunter2 user=me",
        "Authorization: Bearer hunter2",
        "https://hooks.slack.com/services/T0/B0/hunter2",
        "https://x.webhook.office.com/webhookb2/hunter2",
        "https://api.telegram.org/bot1:hunter2/send",
        "https://host/file?X-Amz-Signature=hunter2&sig=hunter2&key=hunter2#access_token=hunter2",
        "Authorization: token hunter2",
        "Authorization: Digest name=hunter2, x=hunter2",
        "password: hunter2",
        'options {"password": "hunter2"}',
        "train --n=3 --api_key hunter2 --password=hunter2",
        "host=db;password=a,hunter2;",
        "someone:hunter2@host:5000",
        "someone@mail.org:hunter2@smtp.mail.org:25",
        "key file: -----BEGIN RSA PRIVATE KEY-----\nhunter2\n-----END RSA PRIVATE KEY-----",
    ],
)
def test_secret_parts_of_addresses_are_hidden(address):
    shown = hidden({"mlflow": {"tracking_uri": address}})["mlflow"]["tracking_uri"]
    assert "hunter2" not in shown and HIDDEN in shown
    assert shown[:8] == address[:8]
    assert "hunter2" not in hide_in_message(f"cannot connect to {address}: refused", {"uri": address})
    assert "hunter2" not in hide_in_message(f"no access to {address!r}", {})


@pytest.mark.parametrize(
    "token",
    [
        "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
        "hf_abcdefghijklmnopqrstuvwxyz",
        "sk-proj-abcdefghijklmnopqrstuv",
        "AKIAIOSFODNN7EXAMPLE",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abcdefghijk",
    ],
)
def test_tokens_of_services_are_hidden_under_any_key(token):
    assert hidden({"a": {"b": token, "c": [f"use {token}!"]}}) == {
        "a": {"b": HIDDEN, "c": [f"use {HIDDEN}!"]}
    }


def test_arguments_after_flags_are_hidden():
    assert hidden({"a": ["--token", "hunter2", "-n", 3]}) == {"a": ["--token", HIDDEN, "-n", 3]}


@pytest.mark.parametrize(
    "options",
    [
        {"headers": [["X-API-Key", "hunter2"], ["Accept", "json"]]},
        {"params": [{"name": "token", "value": "hunter2"}, {"name": "steps", "value": "3"}]},
        {"headers": [{"key": "Authorization", "value": "hunter2"}]},
    ],
)
def test_values_after_secret_names_are_hidden(options):
    shown = json.dumps(hidden({"a": options}))
    assert "hunter2" not in shown and HIDDEN in shown
    assert "hunter2" not in hide_in_message("refused: hunter2", options)


def test_everything_else_stays():
    options = {
        "wandb": {
            "project": "tokens",
            "tags": ["a@b", "key"],
            "monkey": "x",
            "author": "me",
            "num_tokens": 3,
            "key": 4,
            "tokens": 5,
            "path": "a/b:c",
            "time": "16:30:00",
            "words": "--steps 3 --name=x; a: b",
            "bypass": True,
            "remote": "git@github.com:a/b.git",
            "times": ["16:30", "a:b@"],
            "pairs": [["name", "x"], ["token", "bfs", "dfs"], {"name": "steps", "value": "x"}],
        },
        "mlflow": {"tracking_uri": "sqlite:///mlflow.db", "experiment": "http://host:5000/?q=key"},
        "none": {"token": None, "password": ""},
    }
    assert hidden(options) == options and not has_secrets({"training": {"tracker_options": options}})
    assert without_secrets({"model": 1}) == {"model": 1}


@pytest.mark.parametrize(
    "text", ["a", "//", "1", "eyJ-", "bearer ", "-a ", "a:", "password", "@//", "api", "\t", "hooks."]
)
def test_long_texts_take_linear_time(text):
    """The config of a run from elsewhere is redacted, too, before a report shows it."""
    start, long = time.process_time(), text * (50_000 // len(text))
    hidden({"a": {"b": long}, long: 1})
    hide_in_message(long, {"b": long})
    assert time.process_time() - start < 1


def test_hidden_values_are_no_options():
    with pytest.raises(ValueError, match=r"training.tracker_options has <secret> in place of a secret"):
        check_no_hidden({"training": {"tracker_options": {"a": {"token": HIDDEN}}}})


class Spy:
    """A tracker that records what it gets."""

    sessions: typing.ClassVar = []

    def __init__(self, session):
        Spy.sessions.append(session)
        if session.options.get("fail"):
            raise RuntimeError(f"cannot reach {session.options['uri']} with {session.options['token']}")

    def add(self, step, values, seconds):
        pass

    def finish(self, result, files):
        Spy.files = {path.name: path.read_text(errors="replace") for path in files}

    def close(self):
        pass


def other(session):
    """A second tracker."""
    return Spy(session)


@pytest.mark.slow
def test_a_run_writes_no_secret_and_its_tracker_gets_it(tmp_path, caplog):
    uri = "https://user:hunter3@host"
    options = {
        "Spy": {"token": "hunter2", "uri": uri},
        "other": {"fail": True, "token": "hunter2", "uri": uri},
    }
    config = config_of(trackers=("test_redaction:Spy", "test_redaction:other"), tracker_options=options)
    workdir = Workdir(tmp_path / "run")
    with quick_runs():
        nar.train(config, workdir)
        own, second = Spy.sessions
        assert own.options == options["Spy"] and second.options == options["other"]
        written = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
        for secret in ("hunter2", "hunter3"):
            assert not any(secret.encode() in content for content in written)
            assert secret not in str([session.config for session in Spy.sessions])
            assert secret not in str(Spy.files) and secret not in caplog.text
        assert "cannot reach https://<secret>@host with <secret>" in caplog.text
        # The same config resumes the run; the one of the workdir lacks the secret.
        assert nar.train(config, workdir).result
        config = nar.load_run(workdir.path).config
        with pytest.raises(ValueError, match="in place of a secret"):
            nar.train(config, tmp_path / "new")
