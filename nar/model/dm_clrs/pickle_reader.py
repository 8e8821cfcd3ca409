"""Interpreter for the opcodes of pickles that dm-clrs checkpoints consist of.

`pickle.Unpickler`, restricted or not, runs what a file dictates: it hashes its keys, follows its memo
indices and fills its objects, in C code that was not written for hostile files. This interpreter knows the
opcodes that pickled arrays in dictionaries and tuples have, and nothing else. It hashes strings only, never
recurses into a value, and allocates no more than the size of the file.
"""

import pickletools
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from nar.model.dm_clrs.stored_arrays import FUNCTIONS, OPTIMIZER_STATE, Global, StoredArray, StoredDtype

MAX_OPCODES = 300_000
"""Maximum number of opcodes; a checkpoint of all 30 algorithms has about half of them."""

MAX_MARKS = 100
"""Maximum number of tuples and dictionaries that are begun one inside another."""

MAX_NAME_LENGTH = 500
"""Maximum length of keys and of names of globals."""

_ENCODE = Global("_codecs", "encode")
"""Function through which protocol 2 stores bytes."""


class PickleReader:
    """Stack machine that reads one pickle, of protocol 2 to 5."""

    def __init__(self, content: bytes) -> None:
        """Creates a reader of the whole content of a file."""
        self._content = content
        self._position = 0
        self._stack: list[Any] = []
        self._outer_stacks: list[list[Any]] = []
        self._memo: dict[int, Any] = {}
        self._encoded_size = 0

    def read(self) -> Any:
        """The pickled object: dictionaries with string keys, tuples, arrays (`StoredArray`) and constants.

        Raises:
          ValueError: if the content has any other opcode, function, key or dtype, or too many opcodes, or
            is damaged; the message has the position of the opcode.
        """
        start = 0
        try:
            if self._content[:1] != b"\x80":
                raise ValueError("a pickle of protocol 2 to 5 must begin with its protocol")
            for _ in range(MAX_OPCODES):
                start = self._position
                code = self._take(1)[0]
                if code == _STOP:
                    return self._result()
                if code not in _OPCODES:
                    name = _OPCODE_NAMES.get(code, f"byte {code}")
                    raise ValueError(f"{name} is not an opcode of arrays in dictionaries")
                _OPCODES[code](self)
        except ValueError as error:
            raise ValueError(f"at byte {start}: {error}") from None
        raise ValueError(f"it has more than {MAX_OPCODES} opcodes")

    def _result(self) -> Any:
        if self._outer_stacks or len(self._stack) != 1:
            raise ValueError("a pickle must end with one value")
        if self._position != len(self._content):
            raise ValueError(f"{len(self._content) - self._position} bytes follow the end of the pickle")
        return self._stack[0]

    # Content

    def _take(self, count: int) -> bytes:
        end = self._position + count
        if end > len(self._content):
            raise ValueError(f"{end - len(self._content)} bytes are missing")
        taken = self._content[self._position : end]
        self._position = end
        return taken

    def _unsigned(self, size: int) -> int:
        return int.from_bytes(self._take(size), "little")

    def _line(self) -> str:
        end = self._content.find(b"\n", self._position, self._position + MAX_NAME_LENGTH)
        if end < 0:
            raise ValueError("a name of a global must be a short line")
        return self._take(end + 1 - self._position)[:-1].decode("utf-8")

    # Stack

    def _push(self, value: Any) -> None:
        self._stack.append(value)

    def _pop(self) -> Any:
        if not self._stack:
            raise ValueError("a value is missing")
        return self._stack.pop()

    def _pop_to_mark(self) -> list[Any]:
        if not self._outer_stacks:
            raise ValueError("a mark is missing")
        values, self._stack = self._stack, self._outer_stacks.pop()
        return values

    # Opcodes

    def _protocol(self) -> None:
        number = self._unsigned(1)
        if not 2 <= number <= 5:
            raise ValueError(f"the protocol must be 2 to 5, got {number}")

    def _frame(self) -> None:
        self._take(8)

    def _mark(self) -> None:
        if len(self._outer_stacks) == MAX_MARKS:
            raise ValueError(f"more than {MAX_MARKS} values contain each other")
        self._outer_stacks.append(self._stack)
        self._stack = []

    def _signed(self) -> None:
        self._push(int.from_bytes(self._take(4), "little", signed=True))

    def _empty_dict(self) -> None:
        self._push({})

    def _tuple_to_mark(self) -> None:
        self._push(tuple(self._pop_to_mark()))

    def _tuple_of(self, size: int) -> None:
        values = self._stack[-size:]
        if len(values) < size:
            raise ValueError("a value is missing")
        self._stack[-size:] = [tuple(values)]

    def _set_item(self) -> None:
        value, key = self._pop(), self._pop()
        self._set_items([key, value])

    def _set_items_to_mark(self) -> None:
        self._set_items(self._pop_to_mark())

    def _set_items(self, values: list[Any]) -> None:
        target = self._stack[-1] if self._stack else None
        if type(target) is not dict or len(values) % 2:
            raise ValueError("items must be pairs that are added to a dictionary")
        for key, value in zip(values[::2], values[1::2], strict=True):
            target[_checked_name(key, "a key")] = value

    def _put(self, index: int) -> None:
        if not self._stack:
            raise ValueError("a value is missing")
        self._memo[index] = self._stack[-1]

    def _memoize(self) -> None:
        self._put(len(self._memo))

    def _get(self, index: int) -> None:
        if index not in self._memo:
            raise ValueError(f"no value has the memo index {index}")
        self._push(self._memo[index])

    def _text_global(self) -> None:
        self._push_global(self._line(), self._line())

    def _stack_global(self) -> None:
        name, module = self._pop(), self._pop()
        self._push_global(module, name)

    def _push_global(self, module: Any, name: Any) -> None:
        module, name = _checked_name(module, "a module"), _checked_name(name, "a global")
        # numpy._core was numpy.core before numpy 2.
        found = Global(module.replace("numpy.core.", "numpy._core."), name)
        allowed = found in FUNCTIONS or found in (_ENCODE, Global("numpy", "ndarray"))
        if not allowed and not _is_optax(found):
            raise ValueError(f"the global {module}.{name} is not allowed: only arrays can be read")
        self._push(found)

    def _call(self) -> None:
        arguments, function = self._pop(), self._pop()
        if type(function) is not Global or type(arguments) is not tuple:
            raise ValueError("only a global can be called, with a tuple")
        if _is_optax(function):
            self._push(OPTIMIZER_STATE)
        elif function == _ENCODE:
            self._push(self._encode(arguments))
        elif function in FUNCTIONS:
            self._push(FUNCTIONS[function](arguments))
        else:
            raise ValueError(f"{function.module}.{function.name} cannot be called")

    def _encode(self, arguments: tuple[Any, ...]) -> bytes:
        """Bytes that are stored as text; all together no more than the file has."""
        match arguments:
            case (str() as text, "latin1"):
                self._encoded_size += len(text)
                if self._encoded_size > len(self._content):
                    raise ValueError("the same text must not be encoded again and again")
                return text.encode("latin-1")
        raise ValueError("bytes must be encoded in latin1")

    def _build(self) -> None:
        state = self._pop()
        target = self._stack[-1] if self._stack else None
        if isinstance(target, StoredArray | StoredDtype):
            target.set_state(state)
        elif target is not OPTIMIZER_STATE:
            raise ValueError("only an array and a dtype have a state")


def _is_optax(found: Global) -> bool:
    return found.module == "optax" or found.module.startswith("optax.")


def _checked_name(value: Any, kind: str) -> str:
    if type(value) is not str:
        raise ValueError(f"{kind} must be a string, got {type(value).__name__}")
    if not 0 < len(value) <= MAX_NAME_LENGTH or not value.isprintable():
        raise ValueError(f"{kind} must have 1 to {MAX_NAME_LENGTH} printable characters")
    return value


_OPCODE_NAMES: Mapping[int, str] = {ord(opcode.code): opcode.name for opcode in pickletools.opcodes}


# ---------------------------------------------------------------------------------------------------
# Table of opcodes

_Opcode = Callable[[PickleReader], None]


def _constant(value: Any) -> _Opcode:
    return lambda reader: reader._push(value)


def _unsigned(size: int) -> _Opcode:
    return lambda reader: reader._push(reader._unsigned(size))


def _put(size: int) -> _Opcode:
    return lambda reader: reader._put(reader._unsigned(size))


def _get(size: int) -> _Opcode:
    return lambda reader: reader._get(reader._unsigned(size))


def _text(size: int) -> _Opcode:
    return lambda reader: reader._push(reader._take(reader._unsigned(size)).decode("utf-8", "surrogatepass"))


def _bytes(size: int) -> _Opcode:
    return lambda reader: reader._push(reader._take(reader._unsigned(size)))


def _tuple(size: int) -> _Opcode:
    return lambda reader: reader._tuple_of(size)


_STOP = ord(".")
_OPCODES: Mapping[int, _Opcode] = MappingProxyType(
    {
        code[0]: opcode
        for code, opcode in {
            b"\x80": PickleReader._protocol,
            b"\x95": PickleReader._frame,
            b"(": PickleReader._mark,
            b"N": _constant(None),
            b"\x88": _constant(True),
            b"\x89": _constant(False),
            b"K": _unsigned(1),
            b"M": _unsigned(2),
            b"J": PickleReader._signed,
            b"\x8c": _text(1),
            b"X": _text(4),
            b"\x8d": _text(8),
            b"C": _bytes(1),
            b"B": _bytes(4),
            b"\x8e": _bytes(8),
            b"\x96": _bytes(8),
            b")": _constant(()),
            b"\x85": _tuple(1),
            b"\x86": _tuple(2),
            b"\x87": _tuple(3),
            b"t": PickleReader._tuple_to_mark,
            b"}": PickleReader._empty_dict,
            b"s": PickleReader._set_item,
            b"u": PickleReader._set_items_to_mark,
            b"q": _put(1),
            b"r": _put(4),
            b"\x94": PickleReader._memoize,
            b"h": _get(1),
            b"j": _get(4),
            b"c": PickleReader._text_global,
            b"\x93": PickleReader._stack_global,
            b"R": PickleReader._call,
            b"\x81": PickleReader._call,
            b"b": PickleReader._build,
        }.items()
    }
)
"""Opcode -> its action on a reader."""
