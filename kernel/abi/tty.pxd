# SPDX-License-Identifier: Apache-2.0
# Terminals (asm-generic/termbits.h, asm-generic/ioctls.h).

cpdef enum:
    # c_iflag
    IGNBRK = 0o1
    BRKINT = 0o2
    IGNPAR = 0o4
    PARMRK = 0o10
    INPCK = 0o20
    ISTRIP = 0o40
    INLCR = 0o100
    IGNCR = 0o200
    ICRNL = 0o400
    IUCLC = 0o1000
    IXON = 0o2000
    IXANY = 0o4000
    IXOFF = 0o10000
    IMAXBEL = 0o20000
    IUTF8 = 0o40000
    # c_oflag
    OPOST = 0o1
    OLCUC = 0o2
    ONLCR = 0o4
    OCRNL = 0o10
    ONOCR = 0o20
    ONLRET = 0o40
    TABDLY = 0o14000
    XTABS = 0o14000
    # c_cflag
    CBAUD = 0o10017
    B38400 = 0o17
    CS8 = 0o60
    CREAD = 0o200
    PARENB = 0o400
    HUPCL = 0o2000
    # c_lflag
    ISIG = 0o1
    ICANON = 0o2
    ECHO = 0o10
    ECHOE = 0o20
    ECHOK = 0o40
    ECHONL = 0o100
    NOFLSH = 0o200
    TOSTOP = 0o400
    ECHOCTL = 0o1000
    ECHOPRT = 0o2000
    ECHOKE = 0o4000
    IEXTEN = 0o100000
    # c_cc
    VINTR = 0
    VQUIT = 1
    VERASE = 2
    VKILL = 3
    VEOF = 4
    VTIME = 5
    VMIN = 6
    VSTART = 8
    VSTOP = 9
    VSUSP = 10
    VEOL = 11
    VREPRINT = 12
    VWERASE = 14
    VLNEXT = 15
    VEOL2 = 16
    NCCS = 19
    # ioctl(2)
    TCGETS = 0x5401
    TCSETS = 0x5402
    TCSETSW = 0x5403
    TCSETSF = 0x5404
    TCGETA = 0x5405
    TCSETA = 0x5406
    TCSETAW = 0x5407
    TCSETAF = 0x5408
    TCSBRK = 0x5409
    TCXONC = 0x540a
    TCFLSH = 0x540b
    TIOCEXCL = 0x540c
    TIOCNXCL = 0x540d
    TIOCSCTTY = 0x540e
    TIOCGPGRP = 0x540f
    TIOCSPGRP = 0x5410
    TIOCOUTQ = 0x5411
    TIOCSTI = 0x5412
    TIOCGWINSZ = 0x5413
    TIOCSWINSZ = 0x5414
    TIOCPKT = 0x5420
    TIOCNOTTY = 0x5422
    TIOCSETD = 0x5423
    TIOCGETD = 0x5424
    TCSBRKP = 0x5425
    TIOCGSID = 0x5429
    TCSETS2 = 0x402c542b
    TCSETSW2 = 0x402c542c
    TCSETSF2 = 0x402c542d
    TIOCSPTLCK = 0x40045431
    TIOCSIG = 0x40045436
    TIOCVHANGUP = 0x5437
    TIOCGPTPEER = 0x5441
    # TIOCPKT status byte
    TIOCPKT_DATA = 0
    TIOCPKT_FLUSHREAD = 1
    TIOCPKT_FLUSHWRITE = 2
    TIOCPKT_STOP = 4
    TIOCPKT_START = 8
    TIOCPKT_NOSTOP = 16
    TIOCPKT_DOSTOP = 32
    TIOCPKT_IOCTL = 64
    # TCFLSH and TCXONC
    TCIFLUSH = 0
    TCOFLUSH = 1
    TCIOFLUSH = 2
    TCOOFF = 0
    TCOON = 1
    TCIOFF = 2
    TCION = 3
