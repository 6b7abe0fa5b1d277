# SPDX-License-Identifier: Apache-2.0
"""The command's end of the handshake with the process that becomes the sentry."""

import socket

import pytest

from oci.cradle import Cradle


@pytest.fixture
def ends():
    """(a cradle that hears, the other end of its socket)."""
    cradle = Cradle.__new__(Cradle)
    cradle.socket, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    yield cradle, other
    cradle.socket.close()
    other.close()


def test_last_words_of_one_that_did_not_listen(ends):
    """Its socket is reset when our word is unread, and what it said before must still be heard."""
    cradle, other = ends
    other.send(b"error: a reason")
    cradle.say(b"unread")
    other.close()
    assert cradle.hear() == b"error: a reason"
    assert cradle.hear() == b""


def test_one_that_says_nothing(ends):
    cradle, other = ends
    cradle.say(b"unread")
    other.close()
    assert cradle.hear() == b""
    assert cradle.hear() == b""
