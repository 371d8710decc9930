"""Damage to the bytes of a file, and to the records of a journal.

Each function takes a source of randomness and the content of a file, and returns other content.
"""

import functools
import json

GARBAGE = [
    b"",
    b"\0",
    b"\n",
    b"not a journal\n",
    b"\xff\xfe\n",
    b"{}\n",
    b"[]\n",
    b"null\n",
    b"3\n",
    b'"x"\n',
]
GARBAGE += [b"SQLite format 3\0", b"[" * 100_000 + b"\n", b"9" * 10_000 + b"\n", b"a" * 3_000_000 + b"\n"]
WRONG_VALUES = [None, True, -1, 0, 1.5, 1e999, 2**70, "", "x", "[/x]", [], ["x"], {}, {"x": 1}]


# Damage to the bytes of any file


def truncated(random, content):
    return content[: random.randrange(len(content) + 1)]


def flipped(random, content):
    """Flip one bit."""
    place = random.randrange(len(content))
    return content[:place] + bytes([content[place] ^ 1 << random.randrange(8)]) + content[place + 1 :]


def overwritten(random, content):
    """Replace a block by noise or zeros, as a disk may leave it."""
    first, last = block(random, content)
    new = random.choice((random.randbytes(last - first), bytes(last - first)))
    return content[:first] + new + content[last:]


def cut(random, content):
    first, last = block(random, content)
    return content[:first] + content[last:]


def doubled(random, content):
    first, last = block(random, content)
    return content[:last] + content[first:]


def garbage(random, content):
    return random.choice(GARBAGE)


def followed(random, content):
    """Append something."""
    return content + random.choice(
        (random.choice(GARBAGE), b'{"op_code":', bytes(4096), random.randbytes(99))
    )


def block(random, content):
    first = random.randrange(len(content))
    return first, min(len(content), first + random.choice((1, 16, 512, 4096)))


# Damage to the records of a journal


def of_lines(change):
    """Turn a change of lines into one of bytes."""

    @functools.wraps(change)
    def changed(random, content):
        lines = content.splitlines(keepends=True)
        change(random, lines)
        return b"".join(lines)

    return changed


def swap(random, lines):
    one, other = random.sample(range(len(lines)), 2)
    lines[one], lines[other] = lines[other], lines[one]


def delete(random, lines):
    del lines[random.randrange(len(lines))]


def repeat(random, lines):
    lines.insert(random.randrange(len(lines)), random.choice(lines))


def insert(random, lines):
    lines.insert(random.randrange(len(lines)), random.choice(GARBAGE))


def of_another_type(random, lines):
    """Replace a value, however deep, by one of another type."""
    number = random.randrange(len(lines))
    record = json.loads(lines[number])
    inner, name = random.choice(list(places_in(record)))
    inner[name] = random.choice(WRONG_VALUES)
    lines[number] = json.dumps(record).encode() + b"\n"


def without_a_name(random, lines):
    """Remove a value, however deep, or give it another name."""
    number = random.randrange(len(lines))
    record = json.loads(lines[number])
    inner, name = random.choice([place for place in places_in(record) if isinstance(place[0], dict)])
    value = inner.pop(name)
    if random.random() < 0.5:
        inner[f"{name}x"] = value
    lines[number] = json.dumps(record).encode() + b"\n"


def places_in(value):
    """Each place within a value of JSON: its container, and its name or index there."""
    named = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, inner in list(named):
        yield value, name
        yield from places_in(inner)


BYTES = (truncated, flipped, flipped, overwritten, cut, doubled, garbage, followed)
LINES = tuple(map(of_lines, (swap, delete, repeat, insert))) + 2 * tuple(
    map(of_lines, (of_another_type, without_a_name))
)
