"""Only lines without any doubt count: a plain name, a key, our namespace. Of every other one it is said why not."""

from __future__ import annotations

import base64
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from git_cto.ledger.signers import (
    KRL_MAGIC,
    LARGEST_LIST,
    REVOKED_PATH,
    SIGNERS_PATH,
    Allowed,
    Ignored,
    Signers,
    read_signers,
)
from git_cto.ledger.sshsig import NAMESPACE
from tests.gate.values import quick

OURS = f'namespaces="{NAMESPACE}"'


def key_of(letter: str, kind: str = "ssh-ed25519") -> str:
    parts = (kind.encode(), letter.encode() * 32)
    return f"{kind} " + base64.b64encode(b"".join(struct.pack(">I", len(one)) + one for one in parts)).decode()


ADAS, BENS = key_of("a"), key_of("b")
NO_TIMES = (
    *("2030010", "203001011", "2030010112", "20300101123", "2030010112345", "203001011234567"),
    *("Z", "20300101z", " 20300101", "20300101 ", "-20300101", "+20300101", "2030-01-01", "\u0662\u0660300101"),
)


def read(line: str) -> Signers:
    return read_signers(line.encode("utf-8", "replace"), None)


def counts(line: str) -> Allowed:
    found = read(line)
    assert not found.ignored, found.ignored
    (one,) = found.allowed
    return one


def why(line: str) -> str:
    found = read(line)
    assert not found.allowed
    (one,) = found.ignored
    return one.why


def test_a_line_names_who_may_sign_with_which_key() -> None:
    one = counts(f"ada@example.org {OURS} {ADAS} Ada's laptop")
    assert one.principals == ("ada@example.org",)
    assert (one.number, one.after, one.before) == (1, "", "")
    assert one.line == f'ada@example.org namespaces="git-cto.verdict.v1" {ADAS}'


def test_a_line_may_name_somebody_twice() -> None:
    found = read(f"ada@example.org,ada@home {OURS} {ADAS}\nben@example.org {OURS} {BENS}\nlovelace {OURS} {ADAS}\n")
    key = found.allowed[0].key
    assert found.names(key) == ("ada@example.org", "ada@home", "lovelace")
    assert [one.number for one in found.lines(key)] == [1, 3]
    assert found.lines(b"other") == ()


@pytest.mark.parametrize(
    "options",
    [
        f'namespaces="git,{NAMESPACE}"',
        f'namespaces="{NAMESPACE},file"',
        f'NAMESPACES="{NAMESPACE}"',
        f'valid-after="20200101",{OURS}',
    ],
)
def test_our_namespace_may_be_one_of_several(options: str) -> None:
    assert counts(f"ada {options} {ADAS}").line.endswith(f'namespaces="{NAMESPACE}" {ADAS}') or "valid-after" in options


def test_times_are_utc_with_and_without_a_zone() -> None:
    one = counts(f'ada {OURS},valid-after="20260101",valid-before="202612311830Z" {ADAS}')
    assert (one.after, one.before) == ("20260101000000", "20261231183000")
    assert 'valid-after="20260101000000",valid-before="20261231183000"' in one.line
    assert counts(f'ada {OURS},valid-before="20261231183001" {ADAS}').before == "20261231183001"
    assert one.doubt("20260101000000") == one.doubt("20261231183000") == ""
    assert one.doubt("20251231235959") == "the key of ada is valid from 2026-01-01 on only"
    assert one.doubt("20261231183001") == "the key of ada expired on 2026-12-31"


def test_blank_lines_and_remarks_say_nothing() -> None:
    found = read(f"# who may sign\n\n  \t\n  # ada\r\n\tada\t{OURS}\t{ADAS}\r\n")
    assert [one.principals for one in found.allowed] == [("ada",)]
    assert found.ignored == ()


@pytest.mark.parametrize(
    "line, because",
    [
        (f"ada {ADAS}", "lacks namespaces"),
        (f'ada namespaces="git" {ADAS}', "lacks namespaces"),
        (f'ada namespaces="*" {ADAS}', "lacks namespaces"),
        (f'ada namespaces="git-cto.*" {ADAS}', "lacks namespaces"),
        (f'ada namespaces="git-cto.verdict.v10" {ADAS}', "lacks namespaces"),
        (f'ada namespaces="{NAMESPACE},!{NAMESPACE}" {ADAS}', "lacks namespaces"),
        (f'ada namespaces="" {ADAS}', "lacks namespaces"),
        (f"ada namespaces {ADAS}", "lacks namespaces"),
        (f'ada valid-before="20300101" {ADAS}', "lacks namespaces"),
        (f"* {OURS} {ADAS}", "wildcard"),
        (f"*@example.org {OURS} {ADAS}", "wildcard"),
        (f"ad? {OURS} {ADAS}", "wildcard"),
        (f"!ada {OURS} {ADAS}", "wildcard"),
        (f"ada,!ben {OURS} {ADAS}", "wildcard"),
        (f"ada,*@x {OURS} {ADAS}", "wildcard"),
        (f"ada, {OURS} {ADAS}", "name cannot be read"),
        (f",ada {OURS} {ADAS}", "name cannot be read"),
        (f'"ada" {OURS} {ADAS}', "name cannot be read"),
        (f"a\u202eda {OURS} {ADAS}", "name cannot be read"),
        (f"a\x07da {OURS} {ADAS}", "name cannot be read"),
        (f"ada cert-authority,{OURS} {ADAS}", "cert-authority"),
        (f"ada {OURS},cert-authority {ADAS}", "cert-authority"),
        (f"ada {OURS},{OURS} {ADAS}", "stands twice"),
        (f'ada {OURS},valid-before="20300101",valid-before="20400101" {ADAS}', "stands twice"),
        (f"ada {OURS},touch-required {ADAS}", "option touch-required is not known"),
        (f'ada {OURS},valid-before="tomorrow" {ADAS}', "times is none"),
        (f'ada {OURS},valid-before="20301301" {ADAS}', "times is none"),
        (f'ada {OURS},valid-before="203001" {ADAS}', "times is none"),
        (f'ada {OURS},valid-before="20300101ZZ" {ADAS}', "times is none"),
        *((f'ada {OURS},valid-before="{time}" {ADAS}', "times is none") for time in NO_TIMES),
        (f'ada {OURS},valid-after="19700101" {ADAS}', "times is none"),
        (f"ada {OURS}, {ADAS}", "cannot be read"),
        (f"ada {OURS} {OURS} {ADAS}", "key cannot be read"),
        (f"ada {OURS}", "cannot be read"),
        ("ada", "cannot be read"),
        (f"ada {OURS} ssh-ed25519", "key cannot be read"),
        (f"ada {OURS} ssh-ed25519 AAAA", "key cannot be read"),
        (f"ada {OURS} ssh-rsa {ADAS.split()[1]}", "key cannot be read"),
        (f"ada {OURS} {ADAS[:-3]}!", "key cannot be read"),
        (f"ada {OURS} {key_of('c', 'ssh-ed25519-cert-v01@openssh.com')}", "certificates"),
        (f"{ADAS}", "cannot be read"),
    ],
)
def test_a_line_that_leaves_any_doubt_does_not_count(line: str, because: str) -> None:
    assert because in why(line)


def test_why_a_line_does_not_count_is_said_word_for_word_with_its_number_and_key() -> None:
    times = read(f'# who\nada {OURS},valid-before="soon" {ADAS}').ignored[0]
    key = counts(f"ada {OURS} {ADAS}").key
    assert times == Ignored(number=2, why="one of its times is none (YYYYMMDD or YYYYMMDDHHMMSS)", key=key)
    assert read("ada").ignored == (Ignored(number=1, why="its key cannot be read"),)
    assert read(f"ada {OURS} ssh-ed25519 AAAA").ignored == (Ignored(number=1, why="its key cannot be read"),)
    said = {
        f"ada {OURS},{OURS} {ADAS}": "namespaces stands twice",
        f"ada 1x {ADAS}": "its key cannot be read",
        f"ada {OURS},{ADAS}": "its options cannot be read",
        f"ada cert-authority,{OURS} {ADAS}": "cert-authority does not count here: name each key",
        f"ada* {OURS} {ADAS}": "its name has a wildcard: name everybody",
        f",ada {OURS} {ADAS}": "its name cannot be read: no spaces, no quotes",
        f"ada {ADAS}": 'it lacks namespaces="git-cto.verdict.v1"',
        f"ada {OURS} {key_of('c', 'ssh-ed25519-cert-v01@openssh.com')}": "certificates do not count",
    }
    said |= {
        f"ada x,{OURS} {ADAS}": "the option x is not known",
        f"ada x-y,{OURS} {ADAS}": "the option x-y is not known",
        f'ada -x="1",{OURS} {ADAS}': "its key cannot be read",
        f'ada namespaces="{NAMESPACE},a\\b" {ADAS}': "its key cannot be read",
        f'ada namespaces="git"="{NAMESPACE}" {ADAS}': "its key cannot be read",
        f"ada namespaces={NAMESPACE} {ADAS}": "its key cannot be read",
        f"ada namespaces='{NAMESPACE}' {ADAS}": "its key cannot be read",
    }
    assert {line: why(line) for line in said} == said


def test_the_files_are_where_the_format_says() -> None:
    """docs/ledger.md: other implementations read the same ones."""
    assert (SIGNERS_PATH, REVOKED_PATH) == (".cto/allowed_signers", ".cto/revoked_keys")
    assert (LARGEST_LIST, KRL_MAGIC) == (1_048_576, b"SSHKRL\n\x00")
    text = (Path(__file__).parents[2] / "docs" / "ledger.md").read_text()
    assert SIGNERS_PATH in text
    assert REVOKED_PATH in text


@pytest.mark.parametrize("name", ["a", "ada+cto@example.org", "+ada", "a#b", "Ren\u00e9e", "0", "a-b", "a/b", "(a)"])
def test_a_name_is_anything_without_a_second_meaning(name: str) -> None:
    assert counts(f"{name} {OURS} {ADAS}").principals == (name,)


@pytest.mark.parametrize("name", ['"ada', 'a"da', 'ada"', "ada,#ben", "a\u00a0b", "a\u3000b", "a\x0bb"])
def test_a_name_with_a_second_meaning_is_none(name: str) -> None:
    assert why(f"{name} {OURS} {ADAS}") == "its name cannot be read: no spaces, no quotes"


def test_a_comment_and_tabs_beside_a_key_say_nothing() -> None:
    for key in (
        ADAS,
        f"{ADAS} Ada's laptop",
        f"{ADAS}\tAda",
        ADAS.replace(" ", "\t"),
        ADAS.replace(" ", " \t "),
        f"{ADAS}  ",
    ):
        found = read_signers(f"ada {OURS} {ADAS}".encode(), key.encode())
        assert (found.fault, len(found.revoked_keys)) == ("", 1), key
        assert counts(f"ada {OURS} \t {key}").key in found.revoked_keys
    for key in (f"{ADAS}#", f"{ADAS},x", ADAS.replace(" ", ""), f"x{ADAS}"):
        assert "is no public key" in read_signers(None, key.encode()).fault


@pytest.mark.parametrize(
    "kind",
    [
        "ssh-rsa",
        "ecdsa-sha2-nistp256",
        "sk-ssh-ed25519@openssh.com",
        "sk-ecdsa-sha2-nistp256@openssh.com",
        "ssh-ABYZabyz0189@x.-",
    ],
)
def test_keys_of_every_kind_that_openssh_has_count(kind: str) -> None:
    assert counts(f"ada {OURS} {key_of('a', kind)}").line.endswith(key_of("a", kind))


@pytest.mark.parametrize(
    "kind",
    [
        "pgp-rsa",
        "ssh",
        "dsa-ssh-x",
        "ssh-ed_25519",
        "xssh-ed25519",
        "ssh-",
        "ssh-a/b",
        "ssh-a+b",
        "ssh-a:b",
        "ssh-a@[b",
    ],
)
def test_keys_of_other_kinds_do_not(kind: str) -> None:
    assert "cannot be read" in why(f"ada {OURS} {key_of('a', kind)}")


def test_an_option_without_a_value_has_none() -> None:
    """`valid-after` alone: no time, as ssh-keygen reads it, so the line counts from the beginning."""
    one = counts(f"ada valid-after,{OURS} {ADAS}")
    assert (one.after, one.before) == ("", "")


def test_an_x_is_a_letter_of_a_name_like_any_other() -> None:
    assert counts(f"Xavier@eXample.org {OURS} {ADAS}").principals == ("Xavier@eXample.org",)


def test_the_first_year_that_is_a_time_is_1971() -> None:
    assert counts(f'ada {OURS},valid-after="19710101" {ADAS}').after == "19710101000000"
    assert "times is none" in why(f'ada {OURS},valid-after="19701231" {ADAS}')


def test_a_line_that_does_not_count_takes_no_other_with_it() -> None:
    found = read(f"junk\nada {OURS} {ADAS}\n* {OURS} {BENS}\n")
    assert [one.number for one in found.allowed] == [2]
    assert [one.number for one in found.ignored] == [1, 3]
    assert found.ignored[1].key == counts(f"ben {OURS} {BENS}").key


def test_without_a_list_nobody_may_sign() -> None:
    found = read_signers(None, None)
    assert found.missing
    assert found.allowed == ()
    assert not read_signers(b"", None).missing


def test_revoked_keys_are_public_keys_one_a_line() -> None:
    found = read_signers(f"ada {OURS} {ADAS}".encode(), f"# left the team\n\n{ADAS} ada\n{BENS}\n".encode())
    assert found.fault == ""
    assert found.allowed[0].key in found.revoked_keys
    assert len(found.revoked_keys) == 2
    assert found.revoked is None


def test_a_key_revocation_list_is_left_to_ssh_keygen() -> None:
    found = read_signers(f"ada {OURS} {ADAS}".encode(), KRL_MAGIC + b"rest")
    assert (found.revoked, found.revoked_keys, found.fault) == (KRL_MAGIC + b"rest", frozenset(), "")
    assert read_signers(b"", b"").revoked is None


@pytest.mark.parametrize(
    "revoked",
    [
        b"junk",
        f"{ADAS}\njunk\n".encode(),
        f"ada {ADAS}".encode(),
        f"{OURS} {ADAS}".encode(),
        b"SSHKRL\n",
        b"\xff\xfe",
        b"ssh-ed25519 AAAA",
        b"SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU",
    ],
)
def test_where_the_revoked_keys_cannot_be_read_nobody_may_sign(revoked: bytes) -> None:
    found = read_signers(f"ada {OURS} {ADAS}".encode(), revoked)
    assert "so no signature counts" in found.fault


def test_a_revoked_certificate_is_no_public_key_and_its_line_is_named() -> None:
    """ssh-keygen would revoke the certificate and not the key, so it is left to nobody's guess."""
    certificate = key_of("c", "ssh-ed25519-cert-v01@openssh.com")
    found = read_signers(f"ada {OURS} {ADAS}".encode(), f"{BENS}\n{certificate}\n".encode())
    assert found.fault == "Line 2 of .cto/revoked_keys is no public key, so no signature counts."


def test_what_is_revoked_changes_nothing_else_of_what_was_read() -> None:
    lines = f"ada {OURS} {ADAS}\n* {OURS} {BENS}\n".encode()
    plain, found = read_signers(lines, None), read_signers(lines, f"  # gone\n{BENS}\n".encode())
    assert found.fault == ""
    assert (found.allowed, found.ignored, found.missing) == (plain.allowed, plain.ignored, False)
    assert found.ignored
    assert read_signers(None, f"{BENS}\n".encode()).missing


def test_a_list_that_is_not_utf8_allows_nobody() -> None:
    found = read_signers(f"ada {OURS} {ADAS}\n".encode() + b"# Ren\xe9\n", None)
    assert found.allowed == ()
    assert not found.missing
    assert "not UTF-8" in found.fault


def test_files_beyond_any_use_are_refused() -> None:
    assert "too large" in read_signers(b"#" * (LARGEST_LIST + 1), None).fault
    assert "too large" in read_signers("é".encode() * (LARGEST_LIST // 2) + b"#", None).fault
    assert read_signers(b"#" * LARGEST_LIST, b"#" * LARGEST_LIST).fault == ""
    assert "too large" in read_signers(b"", b"#" * (LARGEST_LIST + 1)).fault


@quick
@given(st.text(max_size=200).map(str.encode) | st.binary(max_size=200), st.binary(max_size=100))
def test_no_bytes_make_a_reader_raise_or_count_anybody(listed: bytes, revoked: bytes) -> None:
    assert read_signers(listed, revoked).allowed == ()


@quick
@given(st.text(max_size=20), st.text(max_size=20), st.text(max_size=20))
def test_whatever_stands_around_a_key_the_line_for_ssh_keygen_is_plain(names: str, options: str, comment: str) -> None:
    for line in (f"{names} {OURS} {ADAS} {comment}", f"ada {OURS}{options} {ADAS}"):
        for one in read(line).allowed:
            assert one.line.isprintable()
            assert one.line.split(" ")[1].startswith(f'namespaces="{NAMESPACE}"')
            assert len(one.line.split(" ")) == 4
            assert not set("*?!\"'") & set(one.line.split(" ")[0].replace("'", ""))
