"""What every verb shares: its output (text or one JSON document), its notes on stderr, colours, and options."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

import click
from msgspec import Struct

from git_cto.errors import CtoError, ToolError, UsageError, typed
from git_cto.redaction import printable, redact_document, redacted, secret_values

if TYPE_CHECKING:
    import msgspec

    from git_cto.work.workspace import Workspace

F = TypeVar("F", bound=Callable[..., object])


# What is decided, recorded or set up: no executor's to do, whose work is judged by it.
_FOR_PEOPLE = frozenset(("run", "plan", "start", "finish", "review", "continue", "override", "abandon", "sync", "init"))


class Shell(Struct, frozen=True):
    """How one command speaks. With `json`, stdout gets one document and everything else goes to stderr."""

    json: bool
    quiet: bool = False

    def say(self, text: str) -> None:
        """The command's own result, for people."""
        if not self.json:
            click.echo(text)

    def document(self, document: msgspec.Struct) -> None:
        """The command's own result, for programs."""
        if self.json:
            _print_json(document)

    def line(self, document: msgspec.Struct) -> None:
        """A document as one line, where several come one after the other. Raises `ToolError` where nobody reads."""
        import msgspec

        try:
            click.echo(msgspec.json.encode(_clean(document)))
        except BrokenPipeError as error:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python flushes once more at its end
            raise ToolError("Nobody reads the events any more.", code="no_reader") from error

    def note(self, text: str) -> None:
        """Something by the way, on stderr."""
        if not self.quiet:
            click.echo(text, err=True)

    def notes(self, texts: tuple[str, ...]) -> None:
        """Several things by the way; their texts may be untrusted."""
        from git_cto.render.lines import filled

        for text in texts:
            self.note(filled("note: ", text, 6))

    def style(self, text: str, colour: str = "", *, bold: bool = False) -> str:
        """A word in colour, where stdout is a terminal and NO_COLOR is not set."""
        if not sys.stdout.isatty() or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
            return text
        return click.style(text, fg=colour or None, bold=bold or None)

    @contextmanager
    def workspace(self) -> Iterator[Workspace]:
        """The repository of the working directory."""
        from git_cto.work.workspace import Workspace

        try:
            cwd = os.getcwd()
        except FileNotFoundError as error:
            raise UsageError("The working directory does not exist any more.", "cd to your repository") from error
        with Workspace(cwd, os.environ) as workspace:
            if click.get_current_context().info_name in _FOR_PEOPLE:
                workspace.refuse_executors()
            try:
                yield workspace
            finally:
                self._tell(workspace)

    def ready_to_sign(self, workspace: Workspace, option: bool | None) -> None:
        """Before anything is begun: signing works, or it is not wanted, or it is said that it does not."""
        workspace.signing.prepare(option)
        self._tell(workspace)

    def _tell(self, workspace: Workspace) -> None:
        self.notes(tuple(workspace.notes))
        workspace.notes.clear()


def verb(name: str, example: str) -> Callable[[Callable[..., int]], click.Command]:
    """Makes a function a verb: `-h` with an example, `--json`, `--quiet`, and a `Shell` as its first argument."""

    def decorate(function: Callable[..., int]) -> click.Command:
        def call(*, json: bool, quiet: bool, **values: object) -> int:
            return int(function(Shell(json, quiet), **values))

        call.__doc__ = f"{(function.__doc__ or '').strip()}\n\n    \b\n    Example:\n      {example}"
        call.__click_params__ = getattr(function, "__click_params__", [])  # type: ignore[attr-defined]
        call = click.option("-q", "--quiet", is_flag=True, help="No progress and no notes on stderr.")(call)
        call = click.option("--json", "json", is_flag=True, help="One JSON document on stdout.")(call)
        return click.command(name, context_settings={"help_option_names": ["-h", "--help"]})(call)

    return decorate


def same(command: str, rev: str | None, base: str | None) -> str:
    """A command about the same change: with the REV and the --base that were typed for this one."""
    about = ([typed(rev)] if rev else []) + ([f"--base {typed(base)}"] if base else [])
    return " ".join([command, *about])


def sign_option(function: F) -> F:
    """`--sign/--no-sign`, of everything that records."""
    said = "Sign what is recorded, or not (default: as cto.sign says, else as git signs commits)."
    return click.option("--sign/--no-sign", "sign", default=None, help=said)(function)


def _print_json(document: msgspec.Struct) -> None:
    import msgspec

    click.echo(msgspec.json.format(msgspec.json.encode(_clean(document)), indent=2))


def _clean(document: msgspec.Struct) -> object:
    """The document without secrets.

    Text by text: hidden in the document as a whole, a secret of digits or a key over two texts would leave no JSON.
    """
    import msgspec

    return redact_document(msgspec.to_builtins(document), secret_values(os.environ))


def report(error: CtoError, *, wants_json: bool) -> None:
    """Says what failed and what to type next: as text on stderr, or as a document on stdout."""
    secrets = secret_values(os.environ)
    message = redacted(printable(error.message, lines=True), secrets)
    hint = redacted(printable(error.hint, lines=True), secrets)
    if wants_json:
        from git_cto.work.documents.errors import ErrorBody, ErrorDocument

        body = ErrorBody(code=error.code, message=message, hint=hint)
        _print_json(ErrorDocument(error=body, exit_code=int(error.exit_code)))
        return
    click.echo(_at_words(message) if sys.stderr.isatty() else message, err=True)
    if hint:
        click.echo(f"Next: {hint}", err=True)  # whole, however long: it is there to be copied


def _at_words(message: str) -> str:
    """A message for a terminal, wrapped at words. A line stays as it is that is set in, or has a word wider than it."""
    from git_cto.render.lines import page, width, wrapped

    def fitting(line: str) -> str:
        whole = line[:1].isspace() or width(line) <= page() or any(width(word) > page() for word in line.split())
        return line if whole else wrapped(line)

    return "\n".join(map(fitting, message.split("\n")))


def text_argument(value: str | None, file: str | None, what: str) -> str:
    """A text from the command line, from a file, or (`-`) from stdin."""
    if value is not None and file is not None:
        raise UsageError(f"Give {what} as an argument or with --file, not both.", "leave one of them out")
    if file is not None:
        return _read(file)
    if value == "-":
        return _decoded(sys.stdin.buffer.read(), "standard input")
    return value or ""


def _read(file: str) -> str:
    try:
        with open(file, "rb") as opened:
            return _decoded(opened.read(), file)
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}.", "check the path") from error


def _decoded(data: bytes, where: str) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UsageError(f"{where} is not UTF-8.", "save it as UTF-8") from error
