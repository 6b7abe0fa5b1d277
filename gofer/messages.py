# SPDX-License-Identifier: Apache-2.0
"""The messages of 9P2000.L and of our extension, as a list.

Field kinds: u8 u16 u32 u64; str (u16 length, bytes); data (u32 length, bytes); qid (13 bytes); attr (the 153 bytes that
Rgetattr carries); str* and qid* (u16 count, items). A T message has an even number, its R message the next one.
The extension is spoken when both sides agreed on its version string; its numbers are unused by other dialects.
"""

VERSION_PLAIN = b"9P2000.L"
VERSION_EXTENDED = b"9P2000.L.runsc1"
NOTAG = 0xFFFF
NOFID = 0xFFFFFFFF
NOOPEN = 0xFFFFFFFF  # open flags of Twalkattr and Tmake: don't open
FIRST_EXTENDED = 200

MESSAGES = [
    (7, "Rlerror", "ecode:u32"),
    (8, "Tstatfs", "fid:u32"),
    (
        9,
        "Rstatfs",
        "type:u32 bsize:u32 blocks:u64 bfree:u64 bavail:u64 files:u64 ffree:u64 fsid:u64 namelen:u32",
    ),
    (12, "Tlopen", "fid:u32 flags:u32"),
    (13, "Rlopen", "qid:qid iounit:u32"),
    (14, "Tlcreate", "fid:u32 name:str flags:u32 mode:u32 gid:u32"),
    (15, "Rlcreate", "qid:qid iounit:u32"),
    (16, "Tsymlink", "fid:u32 name:str target:str gid:u32"),
    (17, "Rsymlink", "qid:qid"),
    (18, "Tmknod", "dfid:u32 name:str mode:u32 major:u32 minor:u32 gid:u32"),
    (19, "Rmknod", "qid:qid"),
    (20, "Trename", "fid:u32 dfid:u32 name:str"),
    (21, "Rrename", ""),
    (22, "Treadlink", "fid:u32"),
    (23, "Rreadlink", "target:str"),
    (24, "Tgetattr", "fid:u32 mask:u64"),
    (25, "Rgetattr", "attr:attr"),
    (
        26,
        "Tsetattr",
        "fid:u32 valid:u32 mode:u32 uid:u32 gid:u32 size:u64 atime_sec:u64 atime_nsec:u64 mtime_sec:u64 mtime_nsec:u64",
    ),
    (27, "Rsetattr", ""),
    (30, "Txattrwalk", "fid:u32 newfid:u32 name:str"),
    (31, "Rxattrwalk", "size:u64"),
    (32, "Txattrcreate", "fid:u32 name:str size:u64 flags:u32"),
    (33, "Rxattrcreate", ""),
    (40, "Treaddir", "fid:u32 offset:u64 count:u32"),
    (41, "Rreaddir", "entries:data"),
    (50, "Tfsync", "fid:u32 datasync:u32"),
    (51, "Rfsync", ""),
    (52, "Tlock", "fid:u32 type:u8 flags:u32 start:u64 length:u64 proc_id:u32 client_id:str"),
    (53, "Rlock", "status:u8"),
    (54, "Tgetlock", "fid:u32 type:u8 start:u64 length:u64 proc_id:u32 client_id:str"),
    (55, "Rgetlock", "type:u8 start:u64 length:u64 proc_id:u32 client_id:str"),
    (70, "Tlink", "dfid:u32 fid:u32 name:str"),
    (71, "Rlink", ""),
    (72, "Tmkdir", "dfid:u32 name:str mode:u32 gid:u32"),
    (73, "Rmkdir", "qid:qid"),
    (74, "Trenameat", "olddirfid:u32 oldname:str newdirfid:u32 newname:str"),
    (75, "Rrenameat", ""),
    (76, "Tunlinkat", "dirfid:u32 name:str flags:u32"),
    (77, "Runlinkat", ""),
    (100, "Tversion", "msize:u32 version:str"),
    (101, "Rversion", "msize:u32 version:str"),
    (102, "Tauth", "afid:u32 uname:str aname:str n_uname:u32"),
    (103, "Rauth", "aqid:qid"),
    (104, "Tattach", "fid:u32 afid:u32 uname:str aname:str n_uname:u32"),
    (105, "Rattach", "qid:qid"),
    (108, "Tflush", "oldtag:u16"),
    (109, "Rflush", ""),
    (110, "Twalk", "fid:u32 newfid:u32 names:str*"),
    (111, "Rwalk", "qids:qid*"),
    (116, "Tread", "fid:u32 offset:u64 count:u32"),
    (117, "Rread", "data:data"),
    (118, "Twrite", "fid:u32 offset:u64 data:data"),
    (119, "Rwrite", "count:u32"),
    (120, "Tclunk", "fid:u32"),
    (121, "Rclunk", ""),
    (122, "Tremove", "fid:u32"),
    (123, "Rremove", ""),
    # Walk one name (none: the fid's own object), its attributes, and unless NOOPEN a descriptor with the reply.
    (200, "Twalkattr", "fid:u32 newfid:u32 name:str flags:u32"),
    (201, "Rwalkattr", "attr:attr dev:u64"),
    # A descriptor of a regular file, for the flags' access mode; the fid stays as it was.
    (202, "Tdonate", "fid:u32 flags:u32"),
    (203, "Rdonate", ""),
    # A new object of any type (by mode), owned by uid and gid. A regular file without a name is an O_TMPFILE.
    (204, "Tmake", "dfid:u32 newfid:u32 name:str mode:u32 rdev:u64 uid:u32 gid:u32 target:str flags:u32"),
    (205, "Rmake", "attr:attr dev:u64"),
    (206, "Trename2", "olddirfid:u32 oldname:str newdirfid:u32 newname:str flags:u32"),
    (207, "Rrename2", ""),
    # Fids (u32 each) to forget. No reply: it rides in front of the next request.
    (208, "Tclunks", "fids:data"),
    (210, "Tsyncfs", "fid:u32"),
    (211, "Rsyncfs", ""),
    # The value; without a name the list, as listxattr(2) gives it.
    (212, "Tgetxattr", "fid:u32 name:str"),
    (213, "Rgetxattr", "value:data"),
    (214, "Tsetxattr", "fid:u32 name:str value:data flags:u32"),
    (215, "Rsetxattr", ""),
    (216, "Tremovexattr", "fid:u32 name:str"),
    (217, "Rremovexattr", ""),
    # Walk one name (none: stay, newfid means nothing) and list that directory. With attributes, behind each name come its device
    # (8 bytes) and attributes (153; valid is 0 if there are none). is_complete: nothing follows.
    (218, "Tlist", "fid:u32 newfid:u32 name:str offset:u64 count:u32 with_attributes:u8"),
    (219, "Rlist", "entries:data is_complete:u8"),
    # The descriptor of a regular file (a memfd) that came with the request, once more and read-only: the client can't open anything.
    (220, "Treopen", ""),
    (221, "Rreopen", ""),
]
