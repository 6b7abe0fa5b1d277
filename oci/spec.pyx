# SPDX-License-Identifier: Apache-2.0
"""config.json (OCI runtime specification 1.1), read once into typed objects.

Whatever leaves load() has the types that the fields below promise; what is wrong raises SpecError with file, key path and expected
type. Unknown keys are ignored, as the specification asks; a null is the same as an absent key, as in Go.
"""

from kernel.abi.json import JsonError, loads
from oci.errors import RunscError
from oci.names import CAPABILITIES, NAMESPACES, RLIMITS

cdef dict KINDS = {dict: "an object", list: "a list", str: "a string", bool: "true or false", int: "a whole number", float: "a number",
                   type(None): "null"}
cdef object NO_MAXIMUM = (1 << 64) - 1


class SpecError(RunscError):
    """config.json, or another object of the specification, is wrong."""


cdef class Field:
    """An object of the text together with its key path: takes typed values out."""
    cdef readonly dict values
    cdef readonly str path

    def __init__(self, dict values, str path):
        self.values, self.path = values, path

    cdef str name(self, str key):
        return f"{self.path}{' ' if self.path[-1:] == ':' else '.'}{key}"

    cdef object get(self, str key, type kind, object default):
        value = self.values.get(key)
        if value is None:
            return default
        return typed(value, kind, self.name(key))

    cdef str text(self, str key, str default=""):
        return self.get(key, str, default)

    cdef bint flag(self, str key) except -1:
        return self.get(key, bool, False)

    cdef object number(self, str key, object default, object least=0, object most=0xffffffff):
        value = self.get(key, int, default)
        if value is not None and value is not default and not least <= value <= most:
            raise SpecError(f"{self.name(key)}: {value} is out of range")
        return value

    cdef Field child(self, str key):
        return Field(self.get(key, dict, {}), self.name(key))

    cdef list children(self, str key):
        return [Field(typed(value, dict, f"{self.name(key)}[{i}]"), f"{self.name(key)}[{i}]")
                for i, value in enumerate(self.get(key, list, []))]

    cdef list texts(self, str key):
        return [typed(value, str, f"{self.name(key)}[{i}]") for i, value in enumerate(self.get(key, list, []))]

    cdef list numbers(self, str key):
        return [typed(value, int, f"{self.name(key)}[{i}]") for i, value in enumerate(self.get(key, list, []))]

    cdef dict text_map(self, str key):
        return {k: typed(v, str, f"{self.name(key)}.{k}") for k, v in self.get(key, dict, {}).items()}

    cdef fail(self, str key, str what):
        raise SpecError(f"{self.name(key)}: {what}")


cdef object typed(object value, type kind, str name):
    if type(value) is not kind:
        raise SpecError(f"{name}: expected {KINDS[kind]}, found {KINDS[type(value)]}")
    if kind is str and "\0" in value:
        raise SpecError(f"{name}: holds a zero byte")
    return value


cdef class Process:
    """The program of a container, or of an exec."""
    cdef readonly bint terminal
    cdef readonly tuple console_size         # (rows, columns) or None
    cdef readonly list args
    cdef readonly list env
    cdef readonly str cwd
    cdef readonly long uid
    cdef readonly long gid
    cdef readonly object umask               # or None
    cdef readonly list additional_gids
    cdef readonly dict capabilities          # set name (effective...) -> bit mask; None: the key is absent
    cdef readonly list rlimits               # (number, soft, hard)
    cdef readonly bint no_new_privileges
    cdef readonly object oom_score_adj       # or None

    def __init__(self, Field field):
        cdef Field user = field.child("user")
        self.terminal = field.flag("terminal")
        self.console_size = self.size(field)
        self.args = field.texts("args")
        self.env = field.texts("env")
        self.cwd = field.text("cwd", "/")
        if self.cwd[:1] != "/":
            field.fail("cwd", "must be an absolute path")
        self.uid = user.number("uid", 0)
        self.gid = user.number("gid", 0)
        self.umask = user.number("umask", None, 0, 0o777)
        self.additional_gids = user.numbers("additionalGids")
        self.capabilities = capability_sets(field)
        self.rlimits = [self.rlimit(entry) for entry in field.children("rlimits")]
        self.no_new_privileges = field.flag("noNewPrivileges")
        self.oom_score_adj = field.number("oomScoreAdj", None, -1000, 1000)

    cdef tuple size(self, Field field):
        cdef Field size = field.child("consoleSize")
        if not size.values:
            return None
        return (size.number("height", 0, 0, 0xffff), size.number("width", 0, 0, 0xffff))

    cdef tuple rlimit(self, Field entry):
        kind = entry.text("type")
        if kind not in RLIMITS:
            entry.fail("type", f'unknown limit "{kind}"')
        soft = entry.number("soft", 0, 0, NO_MAXIMUM)
        hard = entry.number("hard", 0, 0, NO_MAXIMUM)
        if soft > hard:
            entry.fail("soft", "is above hard")
        return RLIMITS[kind], soft, hard


cdef dict capability_sets(Field field):
    """None if the process names no capabilities at all."""
    cdef Field sets = field.child("capabilities")
    if field.values.get("capabilities") is None:
        return None
    masks = {}
    for kind in ("effective", "permitted", "inheritable", "bounding", "ambient"):
        mask = 0
        for name in sets.texts(kind):
            bit = CAPABILITIES.get(name.upper())
            if bit is None:
                sets.fail(kind, f'unknown capability "{name}"')
            mask |= 1 << bit
        masks[kind] = mask
    return masks


cdef class Mount:
    """One entry of `mounts`. fstype is "bind" when an option says so."""
    cdef readonly str destination
    cdef readonly str fstype
    cdef readonly str source
    cdef readonly list options
    cdef readonly bint readonly

    def __init__(self, Field field):
        self.destination = field.text("destination")
        if not self.destination:
            field.fail("destination", "is missing")
        self.options = field.texts("options")
        self.source = field.text("source")
        self.fstype = field.text("type")
        self.readonly = "ro" in self.options and "rw" not in self.options
        if "bind" in self.options or "rbind" in self.options or self.fstype in ("bind", "rbind"):
            self.fstype = "bind"
            if not self.source:
                field.fail("source", "is missing")


cdef class Hook:
    """A host program that runs at a moment of the container's life."""
    cdef readonly str path
    cdef readonly list args
    cdef readonly list env                   # None: ours
    cdef readonly long timeout               # seconds; 0: none

    def __init__(self, Field field):
        self.path = field.text("path")
        if self.path[:1] != "/":
            field.fail("path", "must be an absolute path")
        self.args = field.texts("args")
        self.env = field.texts("env") if field.values.get("env") is not None else None
        self.timeout = field.number("timeout", 0, 0, 1 << 31)


cdef class Namespace:
    """A namespace to have: a new one, or the one at path."""
    cdef readonly str kind
    cdef readonly str path

    def __init__(self, Field field):
        self.kind = field.text("type")
        self.path = field.text("path")
        if self.kind not in NAMESPACES:
            field.fail("type", f'unknown namespace "{self.kind}"')
        if self.path and self.path[0] != "/":
            field.fail("path", "must be an absolute path")


cdef class Resources:
    """Limits. None is: leave it as it is."""
    cdef readonly object memory_limit, memory_reservation, memory_swap
    cdef readonly object cpu_shares, cpu_quota, cpu_period
    cdef readonly str cpuset_cpus, cpuset_mems
    cdef readonly object pids_limit, blkio_weight
    cdef readonly dict unified

    def __init__(self, Field field):
        cdef Field memory = field.child("memory"), cpu = field.child("cpu")
        cdef object low = -(1 << 63), high = (1 << 64) - 1
        self.memory_limit = memory.number("limit", None, low, high)
        self.memory_reservation = memory.number("reservation", None, low, high)
        self.memory_swap = memory.number("swap", None, low, high)
        self.cpu_shares = cpu.number("shares", None, 0, high)
        self.cpu_quota = cpu.number("quota", None, low, high)
        self.cpu_period = cpu.number("period", None, 0, high)
        self.cpuset_cpus = cpu.text("cpus")
        self.cpuset_mems = cpu.text("mems")
        self.pids_limit = field.child("pids").number("limit", None, low, high)
        self.blkio_weight = field.child("blockIO").number("weight", None, 0, 0xffff)
        self.unified = field.text_map("unified")


cdef class Device:
    """A device node to make in /dev."""
    cdef readonly str path, kind
    cdef readonly long major, minor, mode, uid, gid

    def __init__(self, Field field):
        self.path = field.text("path")
        self.kind = field.text("type")
        self.major = field.number("major", 0)
        self.minor = field.number("minor", 0)
        self.mode = field.number("fileMode", 0o666, 0, 0o7777)
        self.uid = field.number("uid", 0)
        self.gid = field.number("gid", 0)


cdef class Spec:
    """A whole config.json."""
    cdef readonly str version
    cdef readonly Process process            # None if absent: such a container can't be started
    cdef readonly str root_path
    cdef readonly bint root_readonly
    cdef readonly str hostname
    cdef readonly str domainname
    cdef readonly list mounts
    cdef readonly dict hooks                 # name -> list of Hook
    cdef readonly dict annotations
    cdef readonly list namespaces
    cdef readonly Resources resources
    cdef readonly str cgroups_path
    cdef readonly list masked_paths
    cdef readonly list readonly_paths
    cdef readonly dict sysctl
    cdef readonly list devices
    cdef readonly dict seccomp               # as it stands; None if absent
    cdef readonly str rootfs_propagation

    def __init__(self, Field field):
        cdef Field linux = field.child("linux"), root = field.child("root")
        self.version = field.text("ociVersion")
        if not self.version:
            field.fail("ociVersion", "is missing")
        if not self.version.startswith("1."):
            field.fail("ociVersion", f'"{self.version}" is not supported')
        self.process = Process(field.child("process")) if field.values.get("process") is not None else None
        self.root_path = root.text("path")
        if not self.root_path:
            root.fail("path", "is missing")
        self.root_readonly = root.flag("readonly")
        self.hostname = field.text("hostname")
        self.domainname = field.text("domainname")
        self.mounts = [Mount(entry) for entry in field.children("mounts")]
        self.hooks = hook_lists(field.child("hooks"))
        self.annotations = field.text_map("annotations")
        self.read_linux(linux)

    cdef read_linux(self, Field linux):
        self.namespaces = [Namespace(entry) for entry in linux.children("namespaces")]
        kinds = [(<Namespace>entry).kind for entry in self.namespaces]
        if len(set(kinds)) != len(kinds):
            linux.fail("namespaces", "names a namespace twice")
        self.resources = Resources(linux.child("resources"))
        self.cgroups_path = linux.text("cgroupsPath")
        self.masked_paths = linux.texts("maskedPaths")
        self.readonly_paths = linux.texts("readonlyPaths")
        self.sysctl = linux.text_map("sysctl")
        self.devices = [Device(entry) for entry in linux.children("devices")]
        self.seccomp = linux.get("seccomp", dict, None)
        self.rootfs_propagation = linux.text("rootfsPropagation")

    def namespace_path(self, str kind):
        """The path of a namespace to join, "" for a new one, None if the host's is to be kept."""
        cdef Namespace entry
        for entry in self.namespaces:
            if entry.kind == kind:
                return entry.path
        return None


cdef dict hook_lists(Field hooks):
    return {kind: [Hook(entry) for entry in hooks.children(kind)]
            for kind in ("prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop")}


cdef Field field_of(bytes text, str name):
    try:
        value = loads(text)
    except JsonError as error:
        raise SpecError(f"{name}: {error}") from None
    return Field(typed(value, dict, name), f"{name}:")


def parse_spec(bytes text, str name="config.json"):
    """A Spec from the text of a config.json; name is for messages."""
    return Spec(field_of(text, name))


def parse_process(bytes text, str name="process"):
    """A Process from the JSON of an OCI process object."""
    cdef Process process = Process(field_of(text, name))
    if not process.args:
        raise SpecError(f"{name}: args: must not be empty")
    return process


def parse_resources(bytes text, str name="resources"):
    """Resources from the JSON of an OCI resources object."""
    return Resources(field_of(text, name))
