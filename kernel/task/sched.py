# SPDX-License-Identifier: Apache-2.0
"""Scheduling attributes of a task (sched(7)). They are kept and answered; the host's scheduler decides who runs."""

from kernel.abi.task import SCHED_OTHER


class SchedAttr:
    """Policy, static priority, affinity mask and memory policy of one task."""

    def __init__(self, affinity, policy=SCHED_OTHER, priority=0, reset_on_fork=False, mempolicy=None):
        self.affinity = affinity
        self.policy = policy
        self.priority = priority
        self.reset_on_fork = reset_on_fork
        self.mempolicy = mempolicy  # (mode, mode flags, node mask) of set_mempolicy(2); None for the default

    def changed(self, **values):
        """A copy with other values: SchedAttr objects are shared by fork and never changed."""
        fields = {"affinity": self.affinity, "policy": self.policy, "priority": self.priority, "reset_on_fork": self.reset_on_fork}
        fields["mempolicy"] = self.mempolicy
        return SchedAttr(**{**fields, **values})
