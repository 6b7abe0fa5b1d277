# SPDX-License-Identifier: Apache-2.0
# 9P messages as bytes and back. Little endian, like the only processor we run on.

cdef enum:
    HEADER = 7                           # size[4] type[1] tag[2]
    ATTR_SIZE = 153
    QTDIR = 0x80
    QTSYMLINK = 0x02
    GETATTR_BASIC = 0x7ff
    GETATTR_BTIME = 0x800


cdef packed struct Attr:                 # the body of Rgetattr
    unsigned long valid
    unsigned char qid_type
    unsigned int qid_version
    unsigned long qid_path               # the inode number
    unsigned int mode
    unsigned int uid
    unsigned int gid
    unsigned long nlink
    unsigned long rdev
    unsigned long size
    unsigned long blksize
    unsigned long blocks
    unsigned long atime_sec
    unsigned long atime_nsec
    unsigned long mtime_sec
    unsigned long mtime_nsec
    unsigned long ctime_sec
    unsigned long ctime_nsec
    unsigned long btime_sec
    unsigned long btime_nsec
    unsigned long gen
    unsigned long data_version


cdef packed struct DirEntry:             # in Rreaddir, before the name's bytes
    unsigned char qid_type
    unsigned int qid_version
    unsigned long qid_path
    unsigned long offset
    unsigned char type                   # DT_*
    unsigned short name_length


cdef packed struct Known:                # in Rlist, behind the name's bytes
    unsigned long dev
    Attr attr


cdef struct Cursor:                      # bytes not yet read
    const unsigned char *at
    const unsigned char *end


cdef class Layout:                       # one message type
    cdef readonly int number
    cdef readonly str name
    cdef readonly tuple fields           # names
    cdef bytes kinds                     # one letter per field


cdef const unsigned char *take(Cursor *cursor, Py_ssize_t count) except NULL
cdef Layout layout_of(int number)
cdef tuple parse_body(Layout layout, const unsigned char *body, Py_ssize_t size)
cdef bytes emit_values(Layout layout, unsigned int tag, tuple values)
