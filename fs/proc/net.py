# SPDX-License-Identifier: Apache-2.0
"""/proc/net: headers for every table; rows come from the network, which may hang up a service for them.

kernel.services.net.proc_text(name) -> str or None, if there is a network, is what is shown; otherwise the table is empty.
"""

INET = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode"
INET6 = (
    "  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt"
    "   uid  timeout inode"
)
HEADERS = {
    "arp": "IP address       HW type     Flags       HW address            Mask     Device\n",
    "dev": "Inter-|   Receive                                                |  Transmit\n"
    " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed\n"
    "    lo:       0       0    0    0    0     0          0         0        0       0    0    0    0     0       0          0\n",
    "if_inet6": "",
    "igmp": "Idx\tDevice    : Count Querier\tGroup    Users Timer\tReporter\n",
    "ipv6_route": "",
    "netlink": "sk               Eth Pid        Groups   Rmem     Wmem     Dump  Locks    Drops    Inode\n",
    "netstat": "",
    "packet": "sk               RefCnt Type Proto  Iface R Rmem   User   Inode\n",
    "protocols": "",
    "psched": "000003e8 00000040 000f4240 3b9aca00\n",
    "ptype": "Type Device      Function\n",
    "raw": INET + " ref pointer drops\n",
    "raw6": INET6 + " ref pointer drops\n",
    "route": "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT" + " " * 55 + "\n",
    "snmp": "",
    "snmp6": "",
    "sockstat": "sockets: used 0\nTCP: inuse 0 orphan 0 tw 0 alloc 0 mem 0\nUDP: inuse 0 mem 0\nUDPLITE: inuse 0\nRAW: inuse 0\n"
    "FRAG: inuse 0 memory 0\n",
    "tcp": INET + "\n",
    "tcp6": INET6 + "\n",
    "udp": INET + " ref pointer drops\n",
    "udp6": INET6 + " ref pointer drops\n",
    "unix": "Num       RefCount Protocol Flags    Type St Inode Path\n",
    "wireless": "",
}


def layout(kernel):
    """Name -> content for fs.proc.nodes.tree."""
    return {name: table(kernel, name, header) for name, header in HEADERS.items()}


def table(kernel, name, header):
    """Content of one table."""

    def content(task):
        net = getattr(kernel.services, "net", None)
        text = net.proc_text(name) if net is not None else None
        return header if text is None else text

    return content
