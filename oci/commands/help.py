# SPDX-License-Identifier: Apache-2.0
"""help: built by click from the table of options that also reads the command line. Cold: click costs 25 ms."""

import sys

import click

from oci.errors import UsageError
from oci.flags import COMMANDS, GLOBALS

TYPES = {"str": click.STRING, "list": click.STRING, "int": click.INT, "duration": click.STRING}


def click_option(flag):
    """One option as click knows it."""
    names = [f"-{flag.short}"] if flag.short else []
    if flag.name == "help":
        return None
    names.append(f"--{flag.name}")
    if flag.kind == "bool":
        return click.Option([*names, flag.name.replace("-", "_")], is_flag=True, default=flag.default, help=flag.text)
    return click.Option(
        [*names, flag.name.replace("-", "_").lower()],
        type=TYPES[flag.kind],
        multiple=flag.kind == "list",
        default=None if flag.kind == "list" else flag.default,
        show_default=bool(flag.default),
        help=flag.text,
    )


def options_of(flags):
    """All of them."""
    return [option for option in map(click_option, flags) if option is not None]


def click_group():
    """The whole command line."""
    group = click.Group(
        "runsc",
        params=options_of(GLOBALS),
        help="An application kernel for containers: an OCI runtime.",
        subcommand_metavar="COMMAND [ARGUMENTS...]",
    )
    for name, command in COMMANDS.items():
        entry = click.Command(
            name,
            params=options_of(command.flags),
            help=command.text,
            short_help=command.text,
            options_metavar=f"[OPTIONS] {command.arguments}".rstrip(),
        )
        group.add_command(entry)
    return group


def run(common, options, arguments, log):
    """The page of a command, or the list of all."""
    group = click_group()
    context = click.Context(group, info_name="runsc")
    if arguments:
        command = group.commands.get(arguments[0])
        if command is None:
            raise UsageError(f'unknown command "{arguments[0]}"')
        text = command.get_help(click.Context(command, info_name=arguments[0], parent=context))
    else:
        text = group.get_help(context)
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
    return 0
