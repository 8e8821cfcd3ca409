"""Forged content of JSON files: valid JSON in which a random part is of another type, value or shape."""

import copy
import json

import numpy as np

VALUES = (
    None,
    True,
    False,
    0,
    -1,
    1,
    7,
    0.5,
    -0.5,
    1e308,
    float("nan"),
    float("inf"),
    2**31,
    2**63,
    10**40,
    -(2**70),
    "",
    "x",
    "1",
    "²",
    "9" * 30,
    "../../x",
    "os:system",
    "a\nb",
    "$\\frac{$",
    "\x00\x1b[31m",
    "\u202e<script>",
    "\ud800",
    "x" * 10_000,
    [],
    {},
    [1],
    ["a", 2, None],
    [[1]],
    [{"seed": 1}],
    {"a": 1},
    {"": {"": {"": 1}}},
    {"score": "x"},
    {"16": {"score": 1}},
    {"bfs": {"16": {"score": None}}},
    json.loads("[" * 60 + "]" * 60),
    json.loads('{"a":' * 60 + "1" + "}" * 60),
)


NO_OBJECTS = (b"", b"[" * 50_000, b'{"a":' * 50_000, b"\xff\xfe", b"1" * 5000, b"null", b"{}", b"\x00")


def forged(random: np.random.Generator, content: object) -> object:
    """A copy in which one part is replaced, removed, renamed, added or exchanged for another part."""
    content = {"": copy.deepcopy(content)}
    node, key = content, ""
    while isinstance(node[key], dict | list) and node[key] and random.random() < 0.85:
        node = node[key]
        key = _pick(random, list(node) if isinstance(node, dict) else range(len(node)))
    match random.integers(8):
        case 0 if node is not content:
            del node[key]
        case 1 if isinstance(node, dict) and node is not content:
            node[str(_pick(random, VALUES))] = node.pop(key)
        case 2 if isinstance(node, list):
            node.insert(key, copy.deepcopy(_pick(random, VALUES)))
        case 3 if isinstance(node, dict) and node is not content:
            node[str(_pick(random, VALUES))] = copy.deepcopy(_pick(random, VALUES))
        case 4:
            node[key] = [node[key]]
        case 5:
            node[key] = {"a": node[key]}
        case _:
            node[key] = copy.deepcopy(_pick(random, VALUES))
    return content[""]


def _pick(random, values):
    return values[random.integers(len(values))]


def forged_text(random: np.random.Generator, content: object, parts: int = 1) -> bytes:
    """JSON of forged content, in which up to `parts` parts differ; sometimes deep or not JSON at all."""
    if random.random() < 0.02:
        return _pick(
            random, (b"", b"[" * 50_000, b'{"a":' * 50_000, b"\xff\xfe", b"1" * 5000, b"null", b"{}")
        )
    for _ in range(random.integers(1, parts + 1)):
        content = forged(random, content)
    return json.dumps(content).encode("utf-8", "surrogatepass")
