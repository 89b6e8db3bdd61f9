"""A command line that was not understood: what is wrong with it, and what was probably meant. Loaded only then.

What click says of it is kept where it helps; which exit code it has is `git_cto.cli`'s business.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

import click

from git_cto.errors import UsageError, typed

if TYPE_CHECKING:
    from collections.abc import Sequence

_PROGRAM = "git cto"


def misread(error: click.ClickException, argv: Sequence[str], group: click.Group) -> UsageError:
    """The same as an error of ours, whose hint is what to type next."""
    context = error.ctx if isinstance(error, click.UsageError) else None
    help_of = f"{context.command_path if context else _verb_of(argv, group)} -h"
    message = error.format_message()
    stop = "" if message.rstrip(")").endswith((".", "?", "!")) else "."
    message = message[:1].upper() + message[1:] + stop
    if not argv or context is None:
        return UsageError(message, help_of if argv else "")  # without any word click has shown the help
    if isinstance(error, click.NoSuchOption):
        return _misplaced(error.option_name, argv, group) or UsageError(message, help_of)
    place = _verb_at(argv)
    if context.parent is None and place is not None and group.get_command(context, argv[place]) is None:
        return UsageError(message, _meant(argv, place, group, context) or help_of)
    if isinstance(error, click.MissingParameter) and error.param is not None:
        said = [word for word in argv if word != "--json"]  # the hint is the same for people and programs
        return UsageError(message, f"{_line(said)} {_wanted(error.param)}, or {help_of}")
    return UsageError(message, help_of)


def _misplaced(name: str, argv: Sequence[str], group: click.Group) -> UsageError | None:
    """An option of the program behind the verb, or one of the verb before it."""
    place = _verb_at(argv, group)
    if place is None:
        return None
    before, verb, behind = list(argv[:place]), argv[place], list(argv[place + 1 :])
    options = _options(group)
    if name in options and _has(behind, name):
        if options[name].is_flag:
            return UsageError(f"{name} is no option of a verb.", f"{_PROGRAM} {name}")
        taken = _take(behind, name, _wanted(options[name]).partition(" ")[2])
        return UsageError(f"{name} belongs before the verb.", _line([*before, *taken, verb, *behind]))
    command = group.get_command(click.Context(group), verb)
    if command is None or name not in _options(command):
        return None
    kept: list[str] = []
    while before and before[0].startswith("-C"):
        kept += [before.pop(0) for _ in range(min(len(before), 1 if len(before[0]) > 2 else 2))]
    return UsageError(f"{name} belongs behind the verb.", _line([*kept, verb, *before, *behind]))


def _meant(argv: Sequence[str], place: int, group: click.Group, context: click.Context) -> str:
    """The command line with the verb that an unknown one looks like; "" where it looks like none."""
    verbs = group.list_commands(context)
    if argv[place] == "help":
        named = [word for word in argv[place + 1 :] if word in verbs]
        return " ".join([_PROGRAM, *named[:1], "-h"])
    like = get_close_matches(argv[place], verbs, 1)
    return _line([*argv[:place], *like, *argv[place + 1 :]]) if like else ""


def _verb_of(argv: Sequence[str], group: click.Group) -> str:
    """The program with the verb that was called, as far as there is one."""
    place = _verb_at(argv)
    known = place is not None and group.get_command(click.Context(group), argv[place])
    return f"{_PROGRAM} {argv[place]}" if known and place is not None else _PROGRAM


def _verb_at(argv: Sequence[str], group: click.Group | None = None) -> int | None:
    """Where the verb stands: the first word that is no option, or with a group the first that is a verb of it."""
    verbs = group.list_commands(click.Context(group)) if group else None
    skip = False
    for place, word in enumerate(argv):
        if skip or word.startswith("-"):
            skip = word == "-C" and not skip
        elif verbs is None or word in verbs:
            return place
    return None


def _options(command: click.Command) -> dict[str, click.Option]:
    options = (param for param in command.params if isinstance(param, click.Option))
    return {name: option for option in options for name in (*option.opts, *option.secondary_opts)}


def _has(words: Sequence[str], name: str) -> bool:
    return any(word.startswith(name) for word in words)


def _take(words: list[str], name: str, usual: str) -> list[str]:
    """Takes an option and its value (where there is none, the `usual` word for one) out of these words."""
    place = next(place for place, word in enumerate(words) if word.startswith(name))
    count = 2 if words[place] == name else 1
    taken = words[place : place + count]
    del words[place : place + count]
    return taken if len(taken) == count else [*taken, usual]


def _wanted(param: click.Parameter) -> str:
    """What is missing, as it is typed."""
    name = param.human_readable_name
    if isinstance(param, click.Option):
        return f"{param.opts[0]} {param.metavar or name.upper()}"
    return param.metavar or name.upper()


def _line(words: Sequence[str]) -> str:
    return " ".join([_PROGRAM, *map(typed, words)])
