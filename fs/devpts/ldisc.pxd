# SPDX-License-Identifier: Apache-2.0
# The line discipline N_TTY: what happens to bytes between the terminal and the program.


cdef class Termios:
    cdef public unsigned int iflag
    cdef public unsigned int oflag
    cdef public unsigned int cflag
    cdef public unsigned int lflag
    cdef public unsigned char line
    cdef public bytearray cc             # NCCS control characters
    cdef public unsigned int ispeed
    cdef public unsigned int ospeed
    cpdef Termios copy(self)


cdef class LineDiscipline:
    cdef public Termios termios
    cdef public bytearray output         # processed, on its way to the terminal
    cdef public bint stopped             # by VSTOP or TCXONC
    cdef readonly bytearray raw          # input that can be read as it is
    cdef readonly object lines           # deque of (bytes, ended by VEOF): input that is read a line at a time
    cdef readonly bytearray edit         # the line being typed
    cdef int column
    cdef int edit_column                 # where the line being typed began on the screen
    cdef bint literal_next               # VLNEXT was typed
    cpdef list receive(self, bytes data)
    cdef int receive_char(self, unsigned char c) except -1
    cdef int receive_canonical(self, unsigned char c) except -1
    cdef bint is_char(self, unsigned char c, int which)
    cdef int signal_of(self, unsigned char c)
    cdef int keyboard_signal(self, unsigned char c) except -1
    cdef int end_line(self, bint eof) except -1
    cdef int store(self, unsigned char c) except -1
    cdef int erase(self, int how) except -1
    cdef int erase_unseen(self, int how) except -1
    cdef int rub_out(self, bytes char) except -1
    cdef int width_of_edit(self)
    cdef int reprint(self) except -1
    cdef int echo_char(self, unsigned char c) except -1
    cdef int echo(self, bytes data) except -1
    cpdef Py_ssize_t write(self, bytes data) except -1
    cdef int write_lines(self, bytes data) except -1
    cdef int put_char(self, unsigned char c) except -1
    cpdef Py_ssize_t available(self)
    cpdef Py_ssize_t room(self)
    cpdef bint readable(self)
    cpdef bytes peek(self, Py_ssize_t count)
    cpdef consume(self, Py_ssize_t count)
    cpdef flush_input(self)
    cpdef set_termios(self, Termios new)
