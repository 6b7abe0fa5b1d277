# SPDX-License-Identifier: Apache-2.0
"""9P messages as bytes and back, driven by the list in gofer.messages.

Rule: bytes from the other side are read through `take`, which checks; whatever is wrong with them, the parser raises
WireError and nothing else. A message is a tuple of its fields' values, strings are bytes. No I/O here.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.string cimport memcpy

from gofer.messages import MESSAGES

KINDS = {"u8": b"1", "u16": b"2", "u32": b"4", "u64": b"8", "str": b"s", "data": b"d", "qid": b"q", "attr": b"a",
         "str*": b"S", "qid*": b"Q"}


class WireError(Exception):
    """Bytes that are no message, or values that fit into none."""


cdef class Layout:
    """A message type: number, name, and the kinds of its fields."""

    def __init__(self, number, name, text):
        pairs = [tuple(field.split(":")) for field in text.split()]
        self.number = number
        self.name = name
        self.fields = tuple([pair[0] for pair in pairs])
        self.kinds = b"".join([KINDS[pair[1]] for pair in pairs])


cdef list layouts = [None] * 256
cdef dict numbers = {}
for _number, _name, _text in MESSAGES:
    layouts[_number] = Layout(_number, _name, _text)
    numbers[_name] = _number


def number_of(name):
    """The type number of a message name."""
    return numbers[name]


def emit(name, tag, *values):
    """A whole message, with its header. WireError if the values don't fit."""
    return emit_values(layout_of(numbers[name]), tag, values)


def parse(bytes message):
    """(name, tag, values) of one whole message; WireError."""
    cdef const unsigned char *at = <const unsigned char *> PyBytes_AS_STRING(message)
    cdef Py_ssize_t size = PyBytes_GET_SIZE(message)
    if size < HEADER or load(at, 4) != <unsigned long> size:
        raise WireError("bad size")
    layout = layout_of(at[4])
    if layout is None:
        raise WireError("unknown type")
    return layout.name, load(at + 5, 2), parse_body(layout, at + HEADER, size - HEADER)


cdef Layout layout_of(int number):
    """The message type, None if there is no such."""
    return layouts[number & 0xff]


cdef const unsigned char *take(Cursor *cursor, Py_ssize_t count) except NULL:
    """The next count bytes; moves the cursor behind them."""
    cdef const unsigned char *at = cursor.at
    if count < 0 or count > cursor.end - at:
        raise WireError("message too short")
    cursor.at += count
    return at


cdef tuple parse_body(Layout layout, const unsigned char *body, Py_ssize_t size):
    """The fields' values. WireError if bytes are missing or left over."""
    cdef Cursor cursor
    cdef list values = []
    cdef Py_ssize_t index
    cdef const unsigned char *kinds = <const unsigned char *> PyBytes_AS_STRING(layout.kinds)
    cursor.at = body
    cursor.end = body + size
    for index in range(PyBytes_GET_SIZE(layout.kinds)):
        values.append(parse_value(&cursor, kinds[index]))
    if cursor.at != cursor.end:
        raise WireError("message too long")
    return tuple(values)


cdef object parse_value(Cursor *cursor, unsigned char kind):
    if kind <= c'8':
        return load(take(cursor, kind - c'0'), kind - c'0')
    if kind == c's':
        return parse_bytes(cursor, 2)
    if kind == c'd':
        return parse_bytes(cursor, 4)
    if kind == c'a':
        return PyBytes_FromStringAndSize(<const char *> take(cursor, ATTR_SIZE), ATTR_SIZE)
    if kind == c'q':
        return parse_qid(cursor)
    count = load(take(cursor, 2), 2)
    if kind == c'S':
        return [parse_bytes(cursor, 2) for _ in range(count)]
    return [parse_qid(cursor) for _ in range(count)]


cdef bytes parse_bytes(Cursor *cursor, int width):
    cdef Py_ssize_t size = load(take(cursor, width), width)
    return PyBytes_FromStringAndSize(<const char *> take(cursor, size), size)


cdef tuple parse_qid(Cursor *cursor):
    cdef const unsigned char *at = take(cursor, 13)
    return at[0], load(at + 1, 4), load(at + 5, 8)


cdef unsigned long load(const unsigned char *at, int width) noexcept:
    cdef unsigned long value = 0
    memcpy(&value, at, width)
    return value


cdef bytes emit_values(Layout layout, unsigned int tag, tuple values):
    """The message as bytes."""
    cdef Py_ssize_t size = HEADER, index
    cdef const unsigned char *kinds = <const unsigned char *> PyBytes_AS_STRING(layout.kinds)
    if len(values) != PyBytes_GET_SIZE(layout.kinds):
        raise WireError(f"{layout.name} has {len(layout.fields)} fields")
    for index in range(len(values)):
        size += size_of(kinds[index], values[index])
    message = PyBytes_FromStringAndSize(NULL, size)
    cdef unsigned char *at = <unsigned char *> PyBytes_AS_STRING(message)
    at = store(at, size, 4)
    at = store(at, layout.number, 1)
    at = store(at, tag, 2)
    for index in range(len(values)):
        at = emit_value(at, kinds[index], values[index])
    return message


cdef Py_ssize_t size_of(unsigned char kind, object value) except -1:
    """How many bytes the value takes; WireError if it doesn't fit its kind."""
    if kind <= c'8':
        if not 0 <= value < (<object> 1 << (8 * (kind - c'0'))):
            raise WireError("number out of range")
        return kind - c'0'
    if kind == c's':
        return size_of_bytes(value, 2)
    if kind == c'd':
        return size_of_bytes(value, 4)
    if kind == c'a':
        if len(value) != ATTR_SIZE:
            raise WireError("attributes have 153 bytes")
        return ATTR_SIZE
    if kind == c'q':
        return 13
    if len(value) > 0xffff:
        raise WireError("list too long")
    if kind == c'S':
        return 2 + sum([size_of_bytes(item, 2) for item in value])
    return 2 + 13 * len(value)


cdef Py_ssize_t size_of_bytes(bytes value, int width) except -1:
    if PyBytes_GET_SIZE(value) > (0xffff if width == 2 else 0x7fffffff):
        raise WireError("string too long")
    return width + PyBytes_GET_SIZE(value)


cdef unsigned char *emit_value(unsigned char *at, unsigned char kind, object value) except NULL:
    if kind <= c'8':
        return store(at, value, kind - c'0')
    if kind == c's':
        return store_bytes(at, value, 2)
    if kind == c'd':
        return store_bytes(at, value, 4)
    if kind == c'a':
        return store_bytes(at, value, 0)
    if kind == c'q':
        return store_qid(at, value)
    at = store(at, len(value), 2)
    for item in value:
        at = store_bytes(at, item, 2) if kind == c'S' else store_qid(at, item)
    return at


cdef unsigned char *store(unsigned char *at, unsigned long value, int width) noexcept:
    memcpy(at, &value, width)
    return at + width


cdef unsigned char *store_bytes(unsigned char *at, bytes value, int width) except NULL:
    at = store(at, PyBytes_GET_SIZE(value), width)
    memcpy(at, PyBytes_AS_STRING(value), PyBytes_GET_SIZE(value))
    return at + PyBytes_GET_SIZE(value)


cdef unsigned char *store_qid(unsigned char *at, tuple qid) except NULL:
    at = store(at, qid[0] & 0xff, 1)
    at = store(at, qid[1] & 0xffffffff, 4)
    return store(at, qid[2], 8)
