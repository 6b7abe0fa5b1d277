# SPDX-License-Identifier: Apache-2.0
"""The wire format: what is written can be read, and nothing that comes in breaks the parser."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gofer.messages import MESSAGES
from gofer.wire import WireError, emit, parse

QID = st.tuples(st.integers(0, 255), st.integers(0, 2**32 - 1), st.integers(0, 2**64 - 1))
VALUES = {
    "u8": st.integers(0, 2**8 - 1),
    "u16": st.integers(0, 2**16 - 1),
    "u32": st.integers(0, 2**32 - 1),
    "u64": st.integers(0, 2**64 - 1),
    "str": st.binary(max_size=300),
    "data": st.binary(max_size=1000),
    "qid": QID,
    "attr": st.binary(min_size=153, max_size=153),
    "str*": st.lists(st.binary(max_size=20), max_size=20),
    "qid*": st.lists(QID, max_size=20),
}


@st.composite
def messages(draw):
    """(name, tag, values)."""
    _, name, fields = draw(st.sampled_from(MESSAGES))
    return name, draw(VALUES["u16"]), tuple(draw(VALUES[field.split(":")[1]]) for field in fields.split())


@given(messages())
def test_what_is_emitted_is_parsed(message):
    name, tag, values = message
    assert parse(emit(name, tag, *values)) == message


@given(messages(), st.data())
def test_a_cut_message_is_an_error(message, data):
    name, tag, values = message
    raw = emit(name, tag, *values)
    cut = data.draw(st.integers(0, len(raw) - 1))
    with pytest.raises(WireError):
        parse(raw[:cut])


@given(st.sampled_from(MESSAGES), st.binary(max_size=100))
def test_random_bodies_raise_only_wire_errors(message, body):
    raw = (7 + len(body)).to_bytes(4, "little") + bytes([message[0], 1, 0]) + body
    try:
        name, tag, values = parse(raw)
    except WireError:
        return
    assert emit(name, tag, *values) == raw


@pytest.mark.parametrize("values", [(-1,), (2**32,), (1, 2), ()])
def test_values_that_do_not_fit_are_refused(values):
    with pytest.raises(WireError):
        emit("Tclunk", 1, *values)


def test_numbers_are_unique_and_paired():
    numbers = [number for number, _, _ in MESSAGES]
    assert len(set(numbers)) == len(numbers)
    names = {number: name for number, name, _ in MESSAGES}
    for number, name in names.items():
        if name[0] == "T" and name != "Tclunks":
            assert names[number + 1] == "R" + name[1:]
