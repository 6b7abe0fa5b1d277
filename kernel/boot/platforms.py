# SPDX-License-Identifier: Apache-2.0
"""Which platform runs guest code: --platform. The choice is imported before the jail, and only the choice."""


class PlatformMissing(Exception):
    """There is no such platform in this build."""


def find(name):
    """The class of a platform."""
    if name == "systrap":
        from kernel.platform.systrap import SystrapPlatform

        return SystrapPlatform
    if name != "ptrace":
        raise PlatformMissing(f'platform "{name}" is not known: systrap, or ptrace in the debug build')
    try:
        from kernel.platform.ptrace.traced import PtracePlatform
    except ModuleNotFoundError:
        raise PlatformMissing("platform ptrace belongs to the debug build; this one has systrap only") from None
    return PtracePlatform
