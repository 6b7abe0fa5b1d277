# SPDX-License-Identifier: Apache-2.0
"""JSON (RFC 8259) for config.json, state files and the control socket, without the imports of Python's json package.

loads() takes bytes and gives dict, list, str, int, float, bool or None. Input may be hostile: nesting is bounded, every read is
checked against the end, and whatever is wrong raises JsonError with the line and column. The last of two equal keys wins.
"""

cdef enum:
    MAX_DEPTH = 100

cdef dict ESCAPES = {ord('"'): '"', ord("\\"): "\\", ord("/"): "/", ord("b"): "\b", ord("f"): "\f", ord("n"): "\n",
                     ord("r"): "\r", ord("t"): "\t"}


class JsonError(ValueError):
    """The text is no JSON."""


cdef class Reader:
    cdef bytes text
    cdef const unsigned char *data
    cdef Py_ssize_t position
    cdef Py_ssize_t end
    cdef int depth

    def __init__(self, bytes text not None):
        self.text = text
        self.data = text
        self.end = len(text)

    cdef fail(self, str what):
        cdef bytes before = self.text[:self.position]
        line = before.count(b"\n") + 1
        column = self.position - (before.rfind(b"\n") + 1) + 1
        raise JsonError(f"line {line}, column {column}: {what}")

    cdef int peek(self) noexcept:
        """The next byte that is not white space, or -1."""
        cdef unsigned char c
        while self.position < self.end:
            c = self.data[self.position]
            if c != 32 and c != 10 and c != 13 and c != 9:
                return c
            self.position += 1
        return -1

    cdef object document(self):
        value = self.value()
        if self.peek() != -1:
            self.fail("text after the value")
        return value

    cdef object value(self):
        cdef int c = self.peek()
        if c == c'{':
            return self.members()
        if c == c'[':
            return self.elements()
        if c == c'"':
            return self.string()
        if c == c'-' or c'0' <= c <= c'9':
            return self.number()
        if c == c't':
            return self.word(b"true", True)
        if c == c'f':
            return self.word(b"false", False)
        if c == c'n':
            return self.word(b"null", None)
        self.fail("the text ends too early" if c < 0 else "a value is missing")

    cdef object word(self, bytes letters, object meaning):
        if self.text[self.position:self.position + len(letters)] != letters:
            self.fail("unknown word")
        self.position += len(letters)
        return meaning

    cdef int enter(self) except -1:
        self.position += 1
        self.depth += 1
        if self.depth > MAX_DEPTH:
            self.fail("nested too deeply")
        return 0

    cdef bint closes(self, int bracket, bint first) except -1:
        """After an element: is this the end? Eats the comma or the bracket."""
        cdef int c = self.peek()
        if c == bracket:
            self.position += 1
            self.depth -= 1
            return True
        if first:
            return False
        if c != c',':
            self.fail("the text ends too early" if c < 0 else "a comma is missing")
        self.position += 1
        return False

    cdef dict members(self):
        cdef dict found = {}
        cdef bint first = True
        self.enter()
        while not self.closes(c'}', first):
            first = False
            if self.peek() != c'"':
                self.fail("a key is missing")
            key = self.string()
            if self.peek() != c':':
                self.fail("a colon is missing")
            self.position += 1
            found[key] = self.value()
        return found

    cdef list elements(self):
        cdef list found = []
        cdef bint first = True
        self.enter()
        while not self.closes(c']', first):
            first = False
            found.append(self.value())
        return found

    cdef str string(self):
        cdef Py_ssize_t start = self.position + 1
        cdef Py_ssize_t i = start
        while i < self.end and self.data[i] != c'"' and self.data[i] != c'\\' and self.data[i] >= 32:
            i += 1
        if i < self.end and self.data[i] == c'"':
            self.position = i + 1
            return self.decode(self.text[start:i])
        return self.escaped_string(start)

    cdef str escaped_string(self, Py_ssize_t start):
        cdef list parts = []
        cdef Py_ssize_t i = start
        cdef unsigned char c
        while i < self.end:
            c = self.data[i]
            if c == c'"':
                parts.append(self.decode(self.text[start:i]))
                self.position = i + 1
                return join_surrogates("".join(parts))
            if c < 32:
                self.position = i
                self.fail("control character in a string")
            if c == c'\\':
                parts.append(self.decode(self.text[start:i]))
                self.position = i + 1
                parts.append(self.escape())
                start = i = self.position
            else:
                i += 1
        self.position = self.end
        self.fail("a string does not end")

    cdef str decode(self, bytes raw):
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError:
            self.fail("a string is not UTF-8")

    cdef str escape(self):
        cdef int c = self.data[self.position] if self.position < self.end else -1
        cdef Py_ssize_t i
        if c != c'u':
            if c not in ESCAPES:
                self.fail("unknown escape in a string")
            self.position += 1
            return ESCAPES[c]
        digits = self.text[self.position + 1:self.position + 5]
        for i in range(len(digits)):
            if digits[i] not in b"0123456789abcdefABCDEF":
                self.fail("bad \\u escape")
        if len(digits) != 4:
            self.fail("bad \\u escape")
        self.position += 5
        return chr(int(digits, 16))

    cdef bint digits(self) noexcept:
        cdef Py_ssize_t start = self.position
        while self.position < self.end and c'0' <= self.data[self.position] <= c'9':
            self.position += 1
        return self.position > start

    cdef int current(self) noexcept:
        return self.data[self.position] if self.position < self.end else -1

    cdef object number(self):
        cdef Py_ssize_t start = self.position
        cdef bint whole = True
        if self.current() == c'-':
            self.position += 1
        first = self.position
        if not self.digits() or (self.data[first] == c'0' and self.position > first + 1):
            self.fail("bad number")
        if self.current() == c'.':
            whole = False
            self.position += 1
            if not self.digits():
                self.fail("bad number")
        if self.current() == c'e' or self.current() == c'E':
            whole = False
            self.position += 1
            if self.current() == c'+' or self.current() == c'-':
                self.position += 1
            if not self.digits():
                self.fail("bad number")
        if self.position - start > 400:
            self.fail("bad number")
        raw = self.text[start:self.position]
        return int(raw) if whole else float(raw)


cdef str join_surrogates(str text):
    """\\ud83d\\ude00 is one character; a half alone becomes U+FFFD, as in Go."""
    cdef Py_UCS4 c
    for c in text:
        if 0xd800 <= c <= 0xdfff:
            return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def loads(bytes text not None):
    """The value that the text describes; JsonError if it is not exactly one JSON value in UTF-8."""
    cdef Reader reader = Reader(text)
    return reader.document()


cdef dict QUOTED = {i: "\\u%04x" % i for i in range(32)}
QUOTED.update({ord('"'): '\\"', ord("\\"): "\\\\", ord("\n"): "\\n", ord("\r"): "\\r", ord("\t"): "\\t"})


cdef str quote(str text):
    return '"' + text.translate(QUOTED) + '"'


cdef str emit(object value, str indent):
    cdef str inner = indent + "  " if indent is not None else None
    cdef str gap = "\n" + inner if inner is not None else ""
    cdef str last = "\n" + indent if indent is not None else ""
    cdef str colon = ": " if indent is not None else ":"
    if value is None:
        return "null"
    if value is True:
        return "true"
    if value is False:
        return "false"
    if isinstance(value, str):
        return quote(value)
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, dict):
        if not value:
            return "{}"
        return "{" + gap + ("," + gap).join([quote(str(k)) + colon + emit(v, inner) for k, v in value.items()]) + last + "}"
    if isinstance(value, (list, tuple)):
        if not value:
            return "[]"
        return "[" + gap + ("," + gap).join([emit(v, inner) for v in value]) + last + "]"
    raise TypeError(f"{type(value).__name__} has no JSON form")


def dumps(value, bint indented=False):
    """The JSON text of a value as bytes, in one line or with two spaces a level. What UTF-8 can't say becomes "?"."""
    return emit(value, "" if indented else None).encode("utf-8", "replace")
