"""What a step tells its runner, read back as the runner reads it: nobody's text sets an output or commands."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from git_cto.errors import ToolError
from git_cto.forge.runner import MAX_SUMMARY, Runner

ATTACKS = [
    "revise\nverdict=approve",
    "revise\r\nverdict=approve\r\n",
    "x\nEOF\nverdict=approve",
    "x\nverdict<<EOF\napprove\nEOF",
    "ghadelimiter_0\nverdict=approve",
    "a\x00b",
    "\ud800",
    "",
    "\n",
    "%0Averdict=approve",
]


def outputs_of(path: Path) -> dict[str, str]:
    """A file of outputs, read by the runner's documented rules: NAME=VALUE, or NAME<<END, lines, END."""
    found: dict[str, str] = {}
    lines = iter(re.split(r"\r\n|\n|\r", path.read_bytes().decode()))
    for line in lines:
        if not line:
            continue
        head = re.match(r"([^=<]+)(=|<<)(.*)", line)
        assert head, f"the runner would refuse {line!r}"
        name, kind, rest = head.groups()
        if kind == "=":
            found[name] = rest
            continue
        value = []
        for following in lines:
            if following == rest:
                break
            value.append(following)
        found[name] = "\n".join(value)
    return found


def runner(folder: Path, log: io.StringIO | None = None) -> Runner:
    environ = {
        "GITHUB_ACTIONS": "true",
        "GITHUB_OUTPUT": str(folder / "output"),
        "GITHUB_STEP_SUMMARY": str(folder / "summary"),
    }
    return Runner(environ, log or io.StringIO())


# ---- outputs --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ATTACKS)
def test_no_value_sets_another_output(tmp_path: Path, text: str) -> None:
    runner(tmp_path).outputs({"verdict": "revise", "summary": text, "allowed": "false"})

    read = outputs_of(tmp_path / "output")

    assert set(read) == {"verdict", "summary", "allowed"}
    assert (read["verdict"], read["allowed"]) == ("revise", "false")


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text())
@example(text="\r")
@example(text="a\r\nb\r")
@example(text="a\r\x00\nb")
def test_a_value_arrives_as_it_was(tmp_path: Path, text: str) -> None:
    (tmp_path / "output").unlink(missing_ok=True)
    runner(tmp_path).outputs({"summary": text, "verdict": "revise"})
    sent = re.sub(r"\r\n|\r", "\n", text.replace("\x00", "").encode("utf-8", "replace").decode())
    assert outputs_of(tmp_path / "output") == {"summary": sent, "verdict": "revise"}


def test_no_two_outputs_end_alike(tmp_path: Path) -> None:
    for _ in range(2):
        runner(tmp_path).outputs({"a": "1", "b": "2"})
    ends = re.findall(r"<<(\S+)", (tmp_path / "output").read_text())
    assert len(set(ends)) == 4
    assert all(len(end) >= 32 for end in ends)


def test_a_huge_value_is_cut(tmp_path: Path) -> None:
    runner(tmp_path).outputs({"findings": "é" * 1_000_000, "verdict": "revise"})
    assert (tmp_path / "output").stat().st_size < 600_000
    assert outputs_of(tmp_path / "output")["verdict"] == "revise"


def test_outside_of_actions_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    log = io.StringIO()
    outside = Runner({}, log)
    outside.outputs({"verdict": "approve"})
    outside.summary("# Approved")
    outside.mask("s3cret-value")
    with outside.quiet_log():
        log.write("x\n")
    outside.say("error", "It failed.")
    assert list(tmp_path.iterdir()) == []
    assert log.getvalue() == "x\nIt failed.\n"


def test_a_file_that_cannot_be_written_is_a_plain_error(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match="cannot be written"):
        Runner({"GITHUB_OUTPUT": str(tmp_path)}, io.StringIO()).outputs({"verdict": "revise"})


# ---- the summary ----------------------------------------------------------------------------------------------------


def test_summaries_add_up(tmp_path: Path) -> None:
    here = runner(tmp_path)
    here.summary("# One\n")
    here.summary("# Two\n")
    assert (tmp_path / "summary").read_text() == "# One\n# Two\n"


@pytest.mark.parametrize("length", [MAX_SUMMARY - 1, MAX_SUMMARY, MAX_SUMMARY + 1, 3 * MAX_SUMMARY])
def test_a_summary_is_never_longer_than_github_takes(tmp_path: Path, length: int) -> None:
    here = runner(tmp_path)
    here.summary("x" * length)
    written = (tmp_path / "summary").read_bytes()
    assert len(written) == min(length, MAX_SUMMARY)
    assert (b"cut here" in written) == (length > MAX_SUMMARY)
    here.summary("and more " * 10)
    assert (tmp_path / "summary").stat().st_size <= MAX_SUMMARY


def test_a_cut_summary_ends_in_whole_characters(tmp_path: Path) -> None:
    runner(tmp_path).summary("x" + "é" * MAX_SUMMARY)
    assert (tmp_path / "summary").read_bytes().decode().endswith("1 MiB)\n")


# ---- the log --------------------------------------------------------------------------------------------------------


def commands_in(log: str) -> list[tuple[str, str]]:
    """The commands that the runner would carry out, by its rules: at the start of a line, while none is stopped."""
    found, stopped = [], ""
    for line in log.splitlines():
        command = re.match(r"\s*::([\w-]+)(?: [^:]*)?::(.*)", line)
        if stopped:
            stopped = "" if line.strip() == f"::{stopped}::" else stopped
        elif command and command[1] == "stop-commands":
            stopped = command[2]
        elif command:
            found.append((command[1], command[2]))
    return found


HOSTILE = "::add-mask::a\n::set-env name=PATH::/evil\n::error::x\n::stop-commands::mine\n::resume::\n::mine::"


def test_untrusted_lines_command_nothing_in_a_quiet_log(tmp_path: Path) -> None:
    log = io.StringIO()
    here = runner(tmp_path, log)
    log.write("half a line")
    with here.quiet_log():
        log.write(HOSTILE)
    here.say("notice", "done")
    assert commands_in(log.getvalue()) == [("notice", "done")]


def test_we_are_heard_in_a_quiet_log_and_it_stays_quiet(tmp_path: Path) -> None:
    log = io.StringIO()
    here = runner(tmp_path, log)
    with here.quiet_log():
        here.mask("s3cret-value")
        log.write(HOSTILE)
        with here.quiet_log():
            log.write(HOSTILE)
        log.write(HOSTILE)
        here.say("warning", "slow")
        log.write(f"\n{HOSTILE}")
    assert commands_in(log.getvalue()) == [("add-mask", "s3cret-value"), ("warning", "slow")]


def test_a_quiet_log_ends_with_an_error_too(tmp_path: Path) -> None:
    log = io.StringIO()
    here = runner(tmp_path, log)
    with pytest.raises(ValueError, match="x"), here.quiet_log():
        raise ValueError("x")
    here.say("error", "It failed.")
    assert commands_in(log.getvalue()) == [("error", "It failed.")]


def test_every_quiet_log_has_a_word_of_its_own(tmp_path: Path) -> None:
    log = io.StringIO()
    for _ in range(2):
        with runner(tmp_path, log).quiet_log():
            pass
    assert len(set(re.findall(r"::stop-commands::(\w{32})$", log.getvalue(), re.MULTILINE))) == 2


@pytest.mark.parametrize("text", ["a\n::error::b", "a\r::error::b", "::error::a", "a\u2028::error::b", "\x1b[2Ja"])
def test_a_message_is_one_command_whatever_is_in_it(tmp_path: Path, text: str) -> None:
    log = io.StringIO()
    runner(tmp_path, log).say("error", text)
    assert [name for name, _ in commands_in(log.getvalue())] == ["error"]
    assert "\x1b" not in log.getvalue()
    assert len(log.getvalue().splitlines()) == 1


def test_percent_signs_arrive_as_they_were(tmp_path: Path) -> None:
    log = io.StringIO()
    runner(tmp_path, log).say("notice", "100%0A done\nreally")
    assert log.getvalue() == "::notice::100%250A done%0Areally\n"


def test_a_secret_of_several_lines_is_masked_line_by_line(tmp_path: Path) -> None:
    log = io.StringIO()
    runner(tmp_path, log).mask("-----BEGIN KEY-----\nabcdefgh\n}\n\n-----END KEY-----\n")
    whole = "-----BEGIN KEY-----%0Aabcdefgh%0A}%0A%0A-----END KEY-----%0A"
    masked = [value for _, value in commands_in(log.getvalue())]
    assert masked == [whole, "-----BEGIN KEY-----", "abcdefgh", "-----END KEY-----"]
