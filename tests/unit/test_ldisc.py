# SPDX-License-Identifier: Apache-2.0
"""The line discipline: what is typed, what is echoed, what the program reads."""

import pytest

from fs.devpts.ldisc import LineDiscipline
from kernel.abi.signal import SIGINT, SIGQUIT, SIGTSTP
from kernel.abi.tty import ECHO, ECHOCTL, ICANON, ICRNL, IGNCR, INLCR, ISIG, IUTF8, OCRNL, ONLCR, OPOST, VEOL, XTABS


def line(**changes):
    """A line discipline; changes: iflag, oflag, lflag as functions of the default."""
    ldisc = LineDiscipline()
    termios = ldisc.termios.copy()
    for name, change in changes.items():
        setattr(termios, name, change(getattr(termios, name)))
    ldisc.set_termios(termios)
    return ldisc


def read(ldisc, count=4096):
    if not ldisc.readable():
        return None
    data = ldisc.peek(count)
    ldisc.consume(len(data))
    return data


def echoed(ldisc):
    data = bytes(ldisc.output)
    ldisc.output.clear()
    return data


@pytest.mark.parametrize(
    ("typed", "reads", "echo"),
    [
        (b"hello\r", [b"hello\n"], b"hello\r\n"),
        (b"helo\x7f\x7fllo\n", [b"hello\n"], b"helo\b \b\b \bllo\r\n"),
        (b"one two\x17six\n", [b"one six\n"], b"one two\b \b\b \b\b \bsix\r\n"),
        (b"gone\x15x\n", [b"x\n"], b"gone" + b"\b \b" * 4 + b"x\r\n"),
        (b"a\x16\x03b\n", [b"a\x03b\n"], b"a^\b^Cb\r\n"),
        (b"\x04", [b""], b""),
        (b"abc\x04", [b"abc"], b"abc"),
        (b"ab\x12c\n", [b"abc\n"], b"ab^R\r\nabc\r\n"),
        (b"\x01\x7f\n", [b"\n"], b"^A\b \b\b \b\r\n"),
        (b"a\tb\n", [b"a\tb\n"], b"a\tb\r\n"),
        (b"one\ntwo\n", [b"one\n", b"two\n"], b"one\r\ntwo\r\n"),
        (b"\x7f\x15\x17x\n", [b"x\n"], b"x\r\n"),
    ],
)
def test_canonical(typed, reads, echo):
    ldisc = line()
    assert ldisc.receive(typed) == []
    assert echoed(ldisc) == echo
    for expected in reads:
        assert read(ldisc) == expected
    assert read(ldisc) is None


def test_erasing_a_tab_goes_back_to_its_column():
    ldisc = line()
    ldisc.receive(b"abc\t\x7f")
    assert echoed(ldisc) == b"abc\t" + b"\b" * 5


def test_erasing_a_utf8_character_takes_all_its_bytes():
    ldisc = line(iflag=lambda flags: flags | IUTF8)
    ldisc.receive("xä\x7f\n".encode())
    assert read(ldisc) == b"x\n"
    assert echoed(ldisc) == "xä\b \b\r\n".encode()


def test_a_line_can_be_read_in_pieces():
    ldisc = line()
    ldisc.receive(b"abcdef\n")
    assert [read(ldisc, 3), read(ldisc, 3), read(ldisc, 3), read(ldisc)] == [b"abc", b"def", b"\n", None]


def test_an_end_of_file_behind_data_is_not_read_twice():
    ldisc = line()
    ldisc.receive(b"abc\x04")
    assert [read(ldisc, 3), read(ldisc)] == [b"abc", None]


def test_signals_flush_what_was_typed():
    ldisc = line()
    assert ldisc.receive(b"abc\x03\x1c\x1a") == [SIGINT, SIGQUIT, SIGTSTP]
    assert read(ldisc) is None
    assert echoed(ldisc) == b"abc^C^\\^Z"
    assert line(lflag=lambda flags: flags & ~ISIG).receive(b"\x03") == []


def test_carriage_returns():
    ldisc = line(iflag=lambda flags: flags & ~ICRNL)
    ldisc.receive(b"a\rb\n")
    assert read(ldisc) == b"a\rb\n"
    ldisc = line(iflag=lambda flags: flags | IGNCR)
    ldisc.receive(b"a\rb\n")
    assert read(ldisc) == b"ab\n"
    ldisc = line(iflag=lambda flags: flags & ~ICRNL | INLCR, lflag=lambda flags: flags & ~ICANON)
    ldisc.receive(b"\n")
    assert read(ldisc) == b"\r"


def test_raw_bytes_come_as_they_are():
    ldisc = line(lflag=lambda flags: flags & ~(ICANON | ECHO | ISIG), iflag=lambda flags: 0)
    everything = bytes(range(256))
    assert ldisc.receive(everything) == []
    assert read(ldisc) == everything
    assert echoed(ldisc) == b""


def test_flow_control_stops_and_starts():
    ldisc = line()
    ldisc.receive(b"\x13")
    assert ldisc.stopped
    ldisc.receive(b"\x11")
    assert not ldisc.stopped
    assert read(ldisc) is None and echoed(ldisc) == b""


@pytest.mark.parametrize(
    ("change", "written", "shown"),
    [
        (lambda flags: flags, b"a\nb\n", b"a\r\nb\r\n"),
        (lambda flags: 0, b"a\nb\r", b"a\nb\r"),
        (lambda flags: OPOST | ONLCR | XTABS, b"ab\tc\n\tx", b"ab      c\r\n        x"),
        (lambda flags: OPOST | OCRNL, b"a\r", b"a\n"),
    ],
)
def test_output_processing(change, written, shown):
    ldisc = line(oflag=change)
    ldisc.write(written)
    assert echoed(ldisc) == shown


def test_other_ends_of_line():
    ldisc = line()
    termios = ldisc.termios.copy()
    termios.cc[VEOL] = ord(";")
    ldisc.set_termios(termios)
    ldisc.receive(b"one;two\n")
    assert [read(ldisc), read(ldisc)] == [b"one;", b"two\n"]


def test_input_moves_along_when_the_mode_changes():
    ldisc = line()
    ldisc.receive(b"done\nhalf")
    raw = ldisc.termios.copy()
    raw.lflag &= ~ICANON
    ldisc.set_termios(raw)
    assert read(ldisc) == b"done\nhalf"
    ldisc.receive(b"more")
    cooked = raw.copy()
    cooked.lflag |= ICANON
    ldisc.set_termios(cooked)
    assert read(ldisc) == b"more"


def test_a_line_never_grows_beyond_its_limit():
    ldisc = line(lflag=lambda flags: flags & ~(ECHO | ECHOCTL))
    ldisc.receive(b"x" * 10000 + b"\n")
    assert len(read(ldisc)) == 4096
