# SPDX-License-Identifier: Apache-2.0
"""Our JSON reader against Python's."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.abi.json import JsonError, dumps, loads

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner),
    max_leaves=30,
)


@given(VALUES)
def test_what_python_writes_we_read(value):
    assert loads(json.dumps(value).encode()) == value
    assert loads(json.dumps(value, ensure_ascii=False, indent=3).encode()) == value


@given(VALUES)
def test_what_we_write_is_read_by_all(value):
    assert loads(dumps(value)) == value
    assert json.loads(dumps(value, True)) == value


@given(st.binary(max_size=200))
def test_random_bytes_raise_only_our_error(data):
    try:
        loads(data)
    except JsonError:
        pass


@given(VALUES, st.data())
def test_damaged_text_is_refused_or_means_what_python_says(value, data):
    text = bytearray(json.dumps(value).encode())
    text[data.draw(st.integers(0, len(text) - 1))] = data.draw(st.integers(0, 127))
    try:
        expected = json.loads(text.decode())  # of bytes, Python would guess the encoding
    except ValueError:
        with pytest.raises(JsonError):
            loads(bytes(text))
    else:
        if not any(word in text for word in (b"NaN", b"Infinity", b"\\ud")):
            assert loads(bytes(text)) == expected


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[",
        b"[1,]",
        b'{"a"}',
        b"01",
        b"1.",
        b"+1",
        b'"\x01"',
        b'"\\ud8"',
        b"[" * 1000,
        b"nul",
        b"1 2",
        b"'a'",
        b"\xef\xbb\xbf1",
        b'"\xff"',
    ],
)
def test_what_is_no_json(text):
    with pytest.raises(JsonError):
        loads(text)


def test_errors_say_where():
    with pytest.raises(JsonError, match="line 2, column 9: a comma is missing"):
        loads(b'{\n "a": 1 "b": 2}')


def test_half_a_surrogate_is_replaced_as_in_go():
    assert loads(b'"\\ud83d\\ude00 \\ud83d"') == "\U0001f600 \ufffd"
