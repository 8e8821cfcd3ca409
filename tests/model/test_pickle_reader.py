"""Reading of dm-clrs checkpoints that are damaged or made to do harm; dm-clrs itself is not needed."""

import pickle
import pickletools
import time

import haiku as hk
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from nar.model.dm_clrs import read_checkpoint
from nar.model.dm_clrs.pickle_reader import MAX_OPCODES

MAX_SECONDS = 1.0
PROTOCOLS = (2, 3, 4, 5)


def read(path, content):
    """Parameters of a file, all of them arrays; reading or rejecting it takes less than a second."""
    path.write_bytes(content)
    start = time.process_time()
    try:
        params = read_checkpoint(path)
    finally:
        assert time.process_time() - start < MAX_SECONDS
    for name, leaves in params.items():
        assert type(name) is str
        for leaf in leaves.values():
            assert type(leaf) is np.ndarray and leaf.dtype in ("f2", "f4", "f8")
    return params


def checkpoint(make=np.asarray, mapping=dict):
    """A checkpoint as dm-clrs makes it."""
    arrays = {
        "w": np.arange(6, dtype=np.float32).reshape(2, 3),
        "fortran": np.asfortranarray(np.arange(6, dtype=np.float64).reshape(3, 2)),
        "b": np.array([1, 2], np.float16),
        "scalar": np.float32(3.5),
    }
    params = mapping({"net/a": mapping({name: make(value) for name, value in arrays.items()}), "net/b": {}})
    optimizer = optax.chain(optax.clip_by_global_norm(1.0), optax.adam(1e-3))
    return {"params": params, "opt_state": optimizer.init({"w": jnp.ones(2)})}


def assert_same(read_params, params):
    assert {name: set(leaves) for name, leaves in read_params.items()} == {
        name: set(leaves) for name, leaves in params.items()
    }
    for module, leaves in params.items():
        for name, value in leaves.items():
            np.testing.assert_array_equal(read_params[module][name], value, strict=True)


# ---------------------------------------------------------------------------------------------------
# Valid files


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    ("make", "mapping"),
    [(np.asarray, dict), (jnp.asarray, dict), (np.asarray, hk.data_structures.to_haiku_dict)],
)
def test_every_protocol(tmp_path, protocol, make, mapping):
    saved = checkpoint(make, mapping)
    assert_same(read(tmp_path / "file", pickle.dumps(saved, protocol)), saved["params"])


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_flat_mapping_of_haiku(tmp_path, protocol):
    saved = checkpoint()
    flat = {**saved, "params": hk.data_structures.to_immutable_dict(saved["params"])}
    assert_same(read(tmp_path / "file", pickle.dumps(flat, protocol)), saved["params"])


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    "array",
    [
        np.arange(24.0).reshape(2, 3, 4).transpose(2, 0, 1),
        np.arange(24.0, dtype=">f4").reshape(2, 3, 4),
        np.arange(24.0).reshape(4, 6)[::2, ::-1],
        np.float64(2.0),
        np.full((1, 1, 1), np.nan, np.float16),
    ],
    ids=["transposed", "big-endian", "strided", "scalar", "nan"],
)
def test_memory_layouts_and_byte_orders(tmp_path, protocol, array):
    found = read(tmp_path / "file", pickle.dumps({"params": {"a": {"w": array}}}, protocol))["a"]["w"]
    np.testing.assert_array_equal(found, array)
    assert found.shape == array.shape and found.dtype == array.dtype.newbyteorder("=")


def test_names_of_numpy_1(tmp_path):
    content = pickle.dumps(checkpoint(), 2).replace(b"numpy._core.", b"numpy.core.")
    assert_same(read(tmp_path / "file", content), checkpoint()["params"])


# ---------------------------------------------------------------------------------------------------
# Crafted files

F4 = b"cnumpy\ndtype\nX\x02\0\0\0f4\x89\x88\x87R"
NDARRAY = b"cnumpy._core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\0\x85C\x01b\x87R"


def as_value(code):
    """A pickle {'params': {'a': {'w': value}}} of the opcodes that push a value."""
    return b"\x80\x04}X\x06\0\0\0params}X\x01\0\0\0a}X\x01\0\0\0w" + code + b"sss."


def array(shape, data=b"\0" * 4, dtype=F4):
    return NDARRAY + b"(K\x01" + shape + dtype + b"\x89C" + bytes([len(data)]) + data + b"tb"


def dtype_state(*values):
    """Opcodes of a dtype whose state is a tuple of the given opcodes."""
    return F4 + b"(" + b"".join(values) + b"tb"


CRAFTED = {
    "object fields": (
        array(b")", dtype=dtype_state(b"K\x03X\x01\0\0\0<N)}", b"J\xff\xff\xff\xff" * 2, b"K\0")),
        "a dtype must have a byte order and no fields",
    ),
    "object dtype": (
        b"cnumpy\ndtype\nX\x02\0\0\0O8\x89\x88\x87R",
        "the dtype 'O8' is not allowed; known: f2, ",
    ),
    "dtype of a tuple": (b"cnumpy\ndtype\n)\x89\x88\x87R", "a dtype must be named"),
    "negative size": (array(b"J\xff\xff\xff\xff\x85"), "the sizes of a shape must be positive integers"),
    "huge size": (array(b"J\xff\xff\xff\x7f" * 3 + b"\x87"), r"must have \d+ bytes, got 4"),
    "many sizes": (array(b"(" + b"K\x01" * 99 + b"t"), "a shape must be a tuple of at most 8 integers"),
    "size of True": (array(b"\x88\x85"), "the sizes of a shape must be positive integers"),
    "shape of an array": (array(F4), "a shape must be a tuple"),
    "filled twice": (array(b")") + b"(K\x01)" + F4 + b"\x89C\x04\0\0\0\0tb", "must not be filled twice"),
    "never filled": (NDARRAY, "a/w: an array must have a state"),
    "state of a tuple": (b"))b", "only an array and a dtype have a state"),
    "call of a string": (b"X\x01\0\0\0a)R", "only a global can be called"),
    "call of ndarray": (b"cnumpy\nndarray\nJ\xff\xff\xff\x7f\x85R", "numpy.ndarray cannot be called"),
    "nested tuples": (b")" + b"\x85" * 200_000, "a/w must be a floating-point array, got tuple"),
    "nested tuples as key": (b"})" + b"\x85" * 200_000 + b"Ns", "a key must be a string, got tuple"),
    "pairs of pairs as key": (b"})" + b"q\0h\0\x86" * 60 + b"Ns", "a key must be a string, got tuple"),
    "array as key": (b"}" + array(b")") + b"Ns", "a key must be a string, got StoredArray"),
    "name of a global": (b"X\x01\0\0\0aN\x93", "a global must be a string, got NoneType"),
    "module of pairs": (
        b")" + b"q\0h\0\x86" * 60 + b"X\x01\0\0\0a\x93",
        "a module must be a string, got tuple",
    ),
    "memo index": (b"Nr\xff\xff\xff\xff0", "POP is not an opcode of arrays"),
    "unknown memo index": (b"j\xff\xff\xff\xff", "no value has the memo index 4294967295"),
    "marks": (b"(" * 300_000, "more than 100 values contain each other"),
    "long text": (b"\x8d" + b"\xff" * 8, "bytes are missing"),
    "long bytes": (b"\x8e" + b"\xff" * 8, "bytes are missing"),
    "long bytearray": (b"\x96" + b"\xff" * 8, "bytes are missing"),
    "long integer": (b"\x8b\xff\xff\xff\x7f", "LONG4 is not an opcode of arrays"),
    "integer as text": (b"I" + b"9" * 9_000 + b"\n", "INT is not an opcode"),
    "persistent object": (b"Pmodule\n", "PERSID is not an opcode"),
    "extension": (b"\x82\x01", "EXT1 is not an opcode"),
    "instance": (b"(ios\nsystem\n", "INST is not an opcode"),
    "buffer": (b"\x97", "NEXT_BUFFER is not an opcode"),
    "unknown opcode": (b"\xff", "byte 255 is not an opcode"),
    "invalid text": (b"X\x01\0\0\0\xff", "codec can't decode byte"),
    "newline as key": (b"}X\x01\0\0\0\nNs", "a key must have 1 to 500 printable characters"),
    "empty stack": (b"ssssss", "items must be pairs that are added to a dictionary"),
    "dictionary in itself": (b"}q\0X\x01\0\0\0ah\0s", "a/w must be a floating-point array, got dict"),
    "order of axes": (
        b"cnumpy._core.numeric\n_frombuffer\n(C\x04\0\0\0\0" + F4 + b"K\x01\x85X\x01\0\0\0KK\x07\x85tR",
        "the order of axes must be a permutation",
    ),
    "text encoded again": (
        b"c_codecs\nencode\nq\0X\xff\0\0\0" + b"a" * 255 + b"X\x06\0\0\0latin1\x86q\x01R" + b"h\0h\1R" * 99,
        "the same text must not be encoded again",
    ),
    "other codec": (b"c_codecs\nencode\nX\x01\0\0\0aX\x03\0\0\0rot\x86R", "bytes must be encoded in latin1"),
    "jax array of itself": (
        b"cjax._src.array\n_reconstruct_array\nq\0(h\0)NNtR",
        "a jax array must contain a numpy array",
    ),
    "many calls": (
        b"cnumpy\ndtype\nq\0X\x02\0\0\0f4\x89\x88\x87q\1" + b"h\0h\1R" * 300_000,
        f"{MAX_OPCODES}",
    ),
    "many constants": (b"N" * 1_000_000, f"it has more than {MAX_OPCODES} opcodes"),
    "many dictionaries": (b"}" * 1_000_000, f"it has more than {MAX_OPCODES} opcodes"),
}


@pytest.mark.parametrize(("code", "message"), CRAFTED.values(), ids=CRAFTED)
def test_crafted_files_are_rejected_in_words(tmp_path, code, message):
    assert read(tmp_path / "file", as_value(array(b")")))["a"]["w"] == 0
    with pytest.raises(ValueError, match=message):
        read(tmp_path / "file", as_value(code))


def names(count):
    return [b"X\x04\0\0\0%04d" % number for number in range(count)]


def test_values_with_many_names_are_refused_at_once(tmp_path):
    """Two thousand names of one dictionary of two thousand names mean four million arrays."""
    leaves = b"}(" + b"".join(name + b"N" for name in names(2000)) + b"uq\0"
    modules = b"".join(name + b"h\0" for name in names(2000))
    shared = b"\x80\x04}X\x06\0\0\0params}(X\x01\0\0\0a" + leaves + modules + b"us."
    with pytest.raises(ValueError, match="0000 must not be the same object as another entry of 'params'"):
        read(tmp_path / "file", shared)
    big_endian = array(b")", dtype=dtype_state(b"K\x03X\x01\0\0\0>NNN", b"J\xff\xff\xff\xff" * 2, b"K\0"))
    arrays = b"\x80\x04}X\x06\0\0\0params}X\x01\0\0\0a}(X\x01\0\0\0w" + big_endian + b"q\0%suss."
    assert read(tmp_path / "file", arrays % b"")["a"]["w"] == 0
    with pytest.raises(ValueError, match="a/0000 must not be the same object"):
        read(tmp_path / "file", arrays % b"".join(name + b"h\0" for name in names(1)))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\x80\x01N.", "at byte 0: the protocol must be 2 to 5, got 1"),
        (b"\x80\x06N.", "at byte 0: the protocol must be 2 to 5, got 6"),
        (b"\x80\x04.", "at byte 2: a pickle must end with one value"),
        (b"\x80\x04N.more", "4 bytes follow the end"),
        (b"\x80\x04NN.", "must end with one value"),
        (pickle.dumps({}, 0), "must begin with its protocol"),
        (pickle.dumps({}), "'params' must be a dictionary of dictionaries"),
        (pickle.dumps({"params": ()}), "'params' must be a dictionary of dictionaries"),
        (pickle.dumps({"params": {"a": None}}), "'params' must be a dictionary of dictionaries"),
    ],
)
def test_beginning_and_end_of_a_file(tmp_path, content, message):
    with pytest.raises(ValueError, match=f"is not a dm-clrs checkpoint.*{message}"):
        read(tmp_path / "file", content)


def test_devices_are_not_read(tmp_path):
    with pytest.raises(ValueError, match="/dev/zero is not a dm-clrs checkpoint.*not a regular file"):
        read_checkpoint("/dev/zero")
    with pytest.raises(ValueError, match="is a directory, not a regular file"):
        read_checkpoint(tmp_path)


# ---------------------------------------------------------------------------------------------------
# Random damage

OPCODES = [
    *(opcode.code.encode("latin-1") for opcode in pickletools.opcodes),
    b"X\xff\xff\xff\x7f",
    b"\x8d\xff\xff\xff\xff\xff\xff\xff\x7f",
    b"\x8b\xff\xff\xff\x7f",
    b"r\xff\xff\xff\xff",
    b"j\x07\0\0\0",
    b"J\xff\xff\xff\xff",
    b"q\0h\0\x86" * 60,
    b")" + b"\x85" * 3_000,
    b"cnumpy\nndarray\n",
    b"cnumpy\ndtype\n",
    b"X\x02\0\0\0O8",
    b"(K\x03X\x01\0\0\0>NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tb",
]


def flip(content, positions, random):
    for index in random.integers(len(content), size=random.integers(1, 5)):
        content[index] ^= 1 << random.integers(8)


def overwrite(content, positions, random):
    start = random.integers(len(content))
    content[start : start + 4] = random.bytes(random.integers(1, 9))


def truncate(content, positions, random):
    del content[random.integers(len(content)) :]


def insert_opcodes(content, positions, random):
    for position in sorted(random.choice(positions, random.integers(1, 4)))[::-1]:
        content[position:position] = OPCODES[random.integers(len(OPCODES))]


def replace_opcode(content, positions, random):
    index = random.integers(len(positions) - 1)
    content[positions[index] : positions[index + 1]] = OPCODES[random.integers(len(OPCODES))]


def move_opcodes(content, positions, random):
    """Copies, moves or removes a run of opcodes."""
    start, end = sorted(random.choice(positions, 2))
    taken = content[start:end]
    if random.random() < 0.6:
        del content[start:end]
    if random.random() < 0.7:
        place = min(random.choice(positions), len(content))
        content[place:place] = taken


DAMAGES = (flip, overwrite, truncate, insert_opcodes, replace_opcode, move_opcodes)


@pytest.fixture(scope="module")
def originals():
    """Valid files of all protocols, each with the positions of its opcodes."""
    contents = [
        pickle.dumps(checkpoint(make), protocol)
        for protocol in PROTOCOLS
        for make in (np.asarray, jnp.asarray)
    ]
    return [(content, np.array([place for *_, place in pickletools.genops(content)])) for content in contents]


@pytest.mark.parametrize("count", [400, pytest.param(10_000, marks=pytest.mark.slow)])
def test_damaged_files_are_read_or_rejected(tmp_path, originals, count):
    num_rejected = 0
    for seed in range(count):
        random = np.random.default_rng(seed)
        original, positions = originals[seed % len(originals)]
        content = bytearray(original)
        DAMAGES[random.integers(len(DAMAGES))](content, positions, random)
        try:
            read(tmp_path / "file", bytes(content))
        except ValueError:
            num_rejected += 1
    assert count / 2 < num_rejected < count
