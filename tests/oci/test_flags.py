# SPDX-License-Identifier: Apache-2.0
"""Go's syntax for options, and the command lines that daemons really use."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oci.errors import UsageError
from oci.flags import COMMANDS, duration_ns, parse


def test_what_containerd_sends():
    common, name, options, words = parse(
        "--root /var/run/docker/runtime-runc/moby --log /b/log.json --log-format json create --bundle /b --pid-file /b/init.pid id".split()
    )
    assert (name, words) == ("create", ["id"])
    assert common["root"] == "/var/run/docker/runtime-runc/moby"
    assert (options["bundle"], options["pid-file"], options["console-socket"]) == ("/b", "/b/init.pid", "")


@pytest.mark.parametrize("line", ["-bundle X c", "--bundle X c", "-bundle=X c", "--bundle=X c", "-b X c", "c --bundle X", "-b=X -- c"])
def test_all_ways_to_write_an_option(line):
    _, _, options, words = parse(["create", *line.split()])
    assert (options["bundle"], words) == ("X", ["c"])


@pytest.mark.parametrize(("text", "value"), [("-debug", True), ("--debug=false", False), ("-debug=0", False), ("--debug=T", True)])
def test_booleans(text, value):
    assert parse([text, "list"])[0]["debug"] is value


def test_exec_leaves_the_program_its_own_options():
    _, _, options, words = parse("exec -e A=1 --env=B=2=3 --tty id ls -l --tty=x -- y".split())
    assert words == "id ls -l --tty=x -- y".split()
    assert options["env"] == ("A=1", "B=2=3")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("-nope list", "flag provided but not defined: -nope"),
        ("nothing", 'unknown command "nothing"'),
        ("create", "takes ID"),
        ("create a b", "takes ID"),
        ("create -bundle", "flag needs an argument: -bundle"),
        ("-debug=maybe list", 'invalid value "maybe"'),
        ("kill a b c", "takes"),
        ("exec --preserve-fds=x a b", "invalid value"),
    ],
)
def test_errors(line, message):
    with pytest.raises(UsageError, match=message):
        parse(line.split())


def test_help_and_version():
    assert parse([])[1] == "help"
    assert parse(["--version"])[1] == "version"
    assert parse(["create", "--help"])[1:][::2] == ("help", ["create"])


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("1s", 10**9),
        ("1m30s", 90 * 10**9),
        ("1.5s", 1_500_000_000),
        ("300ms", 300 * 10**6),
        ("0", 0),
        ("0s", 0),
        ("", None),
        ("5", None),
        ("1x", None),
        ("s", None),
        ("1.2.3s", None),
    ],
)
def test_durations(text, ns):
    assert duration_ns(text) == ns


WORDS = [*COMMANDS, "-a", "--", "-", "--force", "--bundle=x", "=", "--=", "-e", "1", "", "-debug=x", "--env"]


@given(st.lists(st.sampled_from(WORDS), max_size=8))
def test_any_words_parse_or_are_a_usage_error(words):
    try:
        parse(words)
    except UsageError:
        pass


def test_no_two_options_share_a_name():
    for command in COMMANDS.values():
        names = [name for flag in command.flags for name in (flag.name, flag.short) if name]
        assert len(names) == len(set(names))
