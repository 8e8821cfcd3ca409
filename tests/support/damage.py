"""Functions `(path, random)` that corrupt a file; those that change its bytes leave an empty file empty."""


def truncated(path, random):
    path.write_bytes(path.read_bytes()[: random.integers(max(1, path.stat().st_size))])


def flipped(path, random):
    content = bytearray(path.read_bytes())
    for index in random.integers(max(1, len(content)), size=random.integers(1, 4)):
        if content:
            content[index] ^= 1 << random.integers(8)
    path.write_bytes(content)


def overwritten(path, random):
    content = bytearray(path.read_bytes())
    start = int(random.integers(max(1, len(content))))
    noise = random.bytes(int(random.integers(1, 200)))
    content[start : start + len(noise)] = noise[: len(content) - start]
    path.write_bytes(content)


def emptied(path, random):
    path.write_bytes(b"")


def replaced_by_a_folder(path, random):
    path.unlink()
    (path / "inside").mkdir(parents=True)


def lengthened(path, random):
    path.write_bytes(path.read_bytes() + random.bytes(100))


DAMAGES = (truncated, flipped, overwritten, emptied, replaced_by_a_folder, lengthened)
