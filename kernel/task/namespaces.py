# SPDX-License-Identifier: Apache-2.0
"""UTS namespace: the names of the machine (uts_namespaces(7))."""


class UtsNamespace:
    """Host and domain name, bytes of at most 64."""

    def __init__(self, nodename=b"localhost", domainname=b"(none)"):
        self.nodename = nodename
        self.domainname = domainname

    def copy(self):
        """For CLONE_NEWUTS."""
        return UtsNamespace(self.nodename, self.domainname)
