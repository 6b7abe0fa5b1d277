# SPDX-License-Identifier: Apache-2.0
"""N_TTY: line editing, echo, signals from the keyboard, flow control, output processing (termios(3)).

Pure state: bytes go in by receive() (typed) and write() (printed), bytes to the terminal come out in `output`, bytes to the program by
peek() and consume(); receive() returns the signals that were typed. No clock, no queues. ECHOPRT echoes like ECHOE; hardware settings are
kept only.
"""

from _collections import deque

from kernel.abi.signal cimport SIGINT, SIGQUIT, SIGTSTP
from kernel.abi.tty cimport (
    B38400, CREAD, CS8, ECHO, ECHOCTL, ECHOE, ECHOK, ECHOKE, ECHONL, ICANON, ICRNL, IEXTEN, IGNCR, IMAXBEL, INLCR, ISIG, ISTRIP, IUCLC,
    IUTF8, IXANY, IXON, NOFLSH, OCRNL, OLCUC, ONLCR, ONLRET, ONOCR, OPOST, TABDLY, VEOF, VEOL, VEOL2, VERASE, VINTR, VKILL, VLNEXT,
    VQUIT, VREPRINT, VSTART, VSTOP, VSUSP, VWERASE, XTABS,
)

cdef enum:
    INPUT_LIMIT = 4095                   # bytes of one line, and of unread raw input
    KEPT_BY_FLUSH = 4096                 # output that has left for the terminal when a signal flushes the rest
    ONE = 0                              # what erase() takes away
    WORD = 1
    LINE = 2
    BACKSPACE = 8

cdef bytes DEFAULT_CC = b"\x03\x1c\x7f\x15\x04\x00\x01\x00\x11\x13\x1a\x00\x12\x0f\x17\x16\x00\x00\x00"
cdef bytes RUB_OUT = b"\b \b"


cdef class Termios:
    """Settings of a terminal; as a pty has them when it is born."""

    def __init__(self):
        self.iflag = ICRNL | IXON
        self.oflag = OPOST | ONLCR
        self.cflag = B38400 | CS8 | CREAD
        self.lflag = ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN
        self.cc = bytearray(DEFAULT_CC)
        self.ispeed = self.ospeed = 38400

    cpdef Termios copy(self):
        """Another one, alike."""
        cdef Termios new = Termios()
        new.iflag, new.oflag, new.cflag, new.lflag, new.line = self.iflag, self.oflag, self.cflag, self.lflag, self.line
        new.cc = bytearray(self.cc)
        new.ispeed, new.ospeed = self.ispeed, self.ospeed
        return new


cdef class LineDiscipline:
    """The state of one terminal's line."""

    def __init__(self):
        self.termios = Termios()
        self.output = bytearray()
        self.raw = bytearray()
        self.lines = deque()
        self.edit = bytearray()

    # what is typed

    cpdef list receive(self, bytes data):
        """Typed bytes: the signals to send to the foreground, in order."""
        cdef unsigned char c
        cdef int signo
        signals = []
        for c in data:
            signo = self.receive_char(c)
            if signo:
                signals.append(signo)
        return signals

    cdef int receive_char(self, unsigned char c) except -1:
        """One typed byte; returns the signal that it means, or 0."""
        cdef Termios t = self.termios
        cdef int signo
        if t.iflag & ISTRIP:
            c &= 0x7f
        if t.iflag & IUCLC and t.lflag & IEXTEN and 65 <= c <= 90:
            c += 32
        if self.literal_next:
            self.literal_next = False
            self.store(c)
            if t.lflag & ECHO:
                self.echo_char(c)
            return 0
        if t.iflag & IXON:
            if self.is_char(c, VSTART):
                self.stopped = False
                return 0
            if self.is_char(c, VSTOP):
                self.stopped = True
                return 0
            if self.stopped and t.iflag & IXANY:
                self.stopped = False
        if t.lflag & ISIG:
            signo = self.signal_of(c)
            if signo:
                self.keyboard_signal(c)
                return signo
        if c == 13:
            if t.iflag & IGNCR:
                return 0
            if t.iflag & ICRNL:
                c = 10
        elif c == 10 and t.iflag & INLCR:
            c = 13
        if t.lflag & ICANON:
            return self.receive_canonical(c)
        if t.lflag & ECHO:
            self.echo_char(c)
        if len(self.raw) < INPUT_LIMIT:
            self.raw.append(c)
        return 0

    cdef int receive_canonical(self, unsigned char c) except -1:
        cdef Termios t = self.termios
        cdef bint extended = t.lflag & IEXTEN != 0
        if self.is_char(c, VERASE):
            return self.erase(ONE)
        if self.is_char(c, VKILL):
            return self.erase(LINE)
        if extended and self.is_char(c, VWERASE):
            return self.erase(WORD)
        if extended and self.is_char(c, VLNEXT):
            self.literal_next = True
            if t.lflag & ECHO and t.lflag & ECHOCTL:
                self.echo(b"^\b")
            return 0
        if extended and t.lflag & ECHO and self.is_char(c, VREPRINT):
            return self.reprint()
        if c == 10:
            if t.lflag & (ECHO | ECHONL):
                self.echo(b"\n")
            self.edit.append(c)
            return self.end_line(False)
        if self.is_char(c, VEOF):
            return self.end_line(True)
        if self.is_char(c, VEOL) or (extended and self.is_char(c, VEOL2)):
            if t.lflag & ECHO:
                self.echo_char(c)
            self.edit.append(c)
            return self.end_line(False)
        if len(self.edit) >= INPUT_LIMIT:
            if t.iflag & IMAXBEL:
                self.output.append(7)
            return 0
        if not self.edit:
            self.edit_column = self.column
        self.store(c)
        if t.lflag & ECHO:
            self.echo_char(c)
        return 0

    cdef bint is_char(self, unsigned char c, int which):
        """c is that control character, and it is not switched off."""
        return c == <unsigned char> self.termios.cc[which] and c != 0

    cdef int signal_of(self, unsigned char c):
        if self.is_char(c, VINTR):
            return SIGINT
        if self.is_char(c, VQUIT):
            return SIGQUIT
        if self.is_char(c, VSUSP):
            return SIGTSTP
        return 0

    cdef int keyboard_signal(self, unsigned char c) except -1:
        """Flush what a signal flushes, go on after a stop, echo the character."""
        if not self.termios.lflag & NOFLSH:
            self.flush_input()
            del self.output[KEPT_BY_FLUSH:]
        if self.termios.iflag & IXON:
            self.stopped = False
        if self.termios.lflag & ECHO:
            self.echo_char(c)
        return 0

    cdef int end_line(self, bint eof) except -1:
        """The line can be read now; after VEOF without a newline, or even empty: the end of the file."""
        self.lines.append((bytes(self.edit), eof))
        self.edit.clear()
        return 0

    cdef int store(self, unsigned char c) except -1:
        if not self.termios.lflag & ICANON:
            self.raw.append(c)
        elif len(self.edit) < INPUT_LIMIT:
            self.edit.append(c)
        return 0

    # line editing

    cdef int erase(self, int how) except -1:
        """Take the last character, word, or all of the line away, on the screen too."""
        cdef unsigned int lflag = self.termios.lflag
        cdef bint seen_word = False
        cdef bytes char
        if not self.edit:
            return 0
        if not lflag & ECHO or how == LINE and not (lflag & ECHOK and lflag & ECHOKE and lflag & ECHOE):
            return self.erase_unseen(how)
        while self.edit:
            char = last_char(self.edit, self.termios.iflag & IUTF8 != 0)
            if how == WORD:
                is_word = char.isalnum() or char == b"_" or len(char) > 1
                if seen_word and not is_word:
                    break
                seen_word = seen_word or is_word
            del self.edit[len(self.edit) - len(char):]
            if how == ONE and not lflag & ECHOE:
                self.echo_char(self.termios.cc[VERASE])
            else:
                self.rub_out(char)
            if how == ONE:
                break
        return 0

    cdef int erase_unseen(self, int how) except -1:
        """Without echo, or with an echo that only tells that the line was killed."""
        cdef bint seen_word = False
        if how == LINE:
            self.edit.clear()
            if self.termios.lflag & ECHO:
                self.echo_char(self.termios.cc[VKILL])
                if self.termios.lflag & ECHOK:
                    self.echo(b"\n")
            return 0
        while self.edit:
            char = last_char(self.edit, self.termios.iflag & IUTF8 != 0)
            is_word = char.isalnum() or char == b"_"
            if how == WORD and seen_word and not is_word:
                break
            seen_word = seen_word or is_word
            del self.edit[len(self.edit) - len(char):]
            if how == ONE:
                break
        return 0

    cdef int rub_out(self, bytes char) except -1:
        """Remove a character from the screen: a tab goes back to where it began, ^X takes two columns."""
        cdef unsigned char c = char[0]
        if c == 9:
            for _ in range(self.column - self.width_of_edit()):
                self.echo(b"\b")
            return 0
        if c < 32 or c == 127:
            if self.termios.lflag & ECHOCTL:
                self.echo(RUB_OUT + RUB_OUT)
            return 0
        self.echo(RUB_OUT)
        return 0

    cdef int width_of_edit(self):
        """The column behind the line being typed, as it was echoed."""
        cdef int column = self.edit_column
        cdef unsigned char c
        for c in self.edit:
            if c == 9:
                column = (column | 7) + 1
            elif c < 32 or c == 127:
                column += 2 if self.termios.lflag & ECHOCTL else 0
            elif not (self.termios.iflag & IUTF8 and c & 0xc0 == 0x80):
                column += 1
        return column

    cdef int reprint(self) except -1:
        cdef unsigned char c
        self.echo_char(self.termios.cc[VREPRINT])
        self.echo(b"\n")
        self.edit_column = self.column
        for c in self.edit:
            self.echo_char(c)
        return 0

    # what is printed

    cdef int echo_char(self, unsigned char c) except -1:
        """Echo; control characters as ^X."""
        if self.termios.lflag & ECHOCTL and (c < 32 or c == 127) and c != 9 and c != 10:
            self.echo(bytes((94, c ^ 64)))
        else:
            self.echo(bytes((c,)))
        return 0

    cdef int echo(self, bytes data) except -1:
        cdef unsigned char c
        for c in data:
            self.put_char(c)
        return 0

    cpdef Py_ssize_t write(self, bytes data) except -1:
        """Bytes from the program, processed into `output`."""
        cdef unsigned char c
        cdef unsigned int special = OLCUC | OCRNL | ONOCR | ONLRET
        if not self.termios.oflag & OPOST:
            self.output += data
        elif self.termios.oflag & special or (self.termios.oflag & TABDLY) == XTABS or b"\r" in data or b"\b" in data or b"\t" in data:
            for c in data:
                self.put_char(c)
        else:
            self.write_lines(data)
        return len(data)

    cdef int write_lines(self, bytes data) except -1:
        """The everyday case: at most ONLCR."""
        cdef Py_ssize_t last = data.rfind(b"\n")
        if self.termios.oflag & ONLCR:
            self.output += data.replace(b"\n", b"\r\n")
            if last >= 0:
                self.column = 0
        else:
            self.output += data
        self.column += len(data) - last - 1
        return 0

    cdef int put_char(self, unsigned char c) except -1:
        """One byte through output processing; keeps track of the column."""
        cdef unsigned int oflag = self.termios.oflag
        cdef int spaces
        if not oflag & OPOST:
            self.output.append(c)
            return 0
        if c == 10:
            if oflag & ONLRET:
                self.column = 0
            if oflag & ONLCR:
                self.output.append(13)
                self.column = 0
        elif c == 13:
            if oflag & ONOCR and self.column == 0:
                return 0
            if oflag & OCRNL:
                c = 10
                if oflag & ONLRET:
                    self.column = 0
            else:
                self.column = 0
        elif c == 9:
            spaces = 8 - (self.column & 7)
            self.column += spaces
            if (oflag & TABDLY) == XTABS:
                self.output += b" " * spaces
                return 0
        elif c == BACKSPACE:
            self.column -= self.column > 0
        elif c >= 32 and c != 127:
            if oflag & OLCUC and 97 <= c <= 122:
                c -= 32
            if not (self.termios.iflag & IUTF8 and c & 0xc0 == 0x80):
                self.column += 1
        self.output.append(c)
        return 0

    # what is read

    cpdef Py_ssize_t available(self):
        """Bytes that a read could get (FIONREAD)."""
        return len(self.raw) + sum([len(line) for line, _ in self.lines])

    cpdef Py_ssize_t room(self):
        """Typed bytes that can be taken now; editing a line always can."""
        if self.termios.lflag & ICANON:
            return INPUT_LIMIT if not self.lines else max(INPUT_LIMIT - self.available() - len(self.edit), 0)
        return INPUT_LIMIT - len(self.raw)

    cpdef bint readable(self):
        """There is raw input, or a line, or the end of the file."""
        return len(self.raw) > 0 or len(self.lines) > 0

    cpdef bytes peek(self, Py_ssize_t count):
        """What a read of `count` bytes gets: raw bytes, or the rest of one line; b"" is the end of the file. Nothing is consumed."""
        if self.raw:
            return bytes(self.raw[:count])
        return self.lines[0][0][:count]

    cpdef consume(self, Py_ssize_t count):
        """The bytes were read. A line that ends at VEOF goes with its last byte."""
        if self.raw:
            del self.raw[:count]
            return
        line, eof = self.lines.popleft()
        if count < len(line):
            self.lines.appendleft((line[count:], eof))

    cpdef flush_input(self):
        """Forget what was typed and not read."""
        self.raw.clear()
        self.lines.clear()
        self.edit.clear()
        self.literal_next = False

    cpdef set_termios(self, Termios new):
        """Change settings. Input moves along when canonical mode begins or ends."""
        cdef Termios old = self.termios
        self.termios = new
        if (old.lflag ^ new.lflag) & ICANON:
            for line, _ in self.lines:
                self.raw += line
            self.raw += self.edit
            self.lines.clear()
            self.edit.clear()
            if new.lflag & ICANON and self.raw:
                self.lines.append((bytes(self.raw), False))
                self.raw.clear()
        if not new.iflag & IXON and old.iflag & IXON:
            self.stopped = False


cdef bytes last_char(bytearray text, bint utf8):
    """The last character: of several bytes if it is well-formed UTF-8."""
    cdef Py_ssize_t start = len(text) - 1
    if utf8:
        while start > 0 and <unsigned char> text[start] & 0xc0 == 0x80:
            start -= 1
    return bytes(text[start:])
