"""The conformance vectors say what they should of this implementation: each for the reason that it was made for."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import Any

import pytest

from git_cto.ledger.records import decode, kind_of, read
from git_cto.ledger.signers import read_signers
from git_cto.ledger.strict import UnreadError
from git_cto.ledger.trusting import REASONS, weighed
from tests.ledger.make_vectors import AT, VECTORS, files

SIGNERS = read_signers((VECTORS / "allowed_signers").read_bytes(), (VECTORS / "revoked_keys").read_bytes())


def _vectors(folder: str) -> list[Any]:
    paths = sorted((VECTORS / folder).glob("*.json"))
    return [pytest.param(json.loads(path.read_text()), id=path.stem) for path in paths]


def _line(vector: dict[str, str]) -> bytes:
    return vector["line"].encode() if "line" in vector else base64.b64decode(vector["line_base64"])


def test_the_vectors_are_those_that_the_script_makes() -> None:
    """Run `python -m tests.ledger.make_vectors` where the format has changed."""
    kept = {str(path.relative_to(VECTORS)): path.read_text() for path in VECTORS.rglob("*") if path.is_file()}
    readme = kept.pop("README.md")
    assert kept == files()
    codes = {json.loads(text)["expected"] for path, text in kept.items() if path.startswith("invalid/")}
    assert not {code for code in codes if f"| `{code}` |" not in readme}


def test_there_are_enough_of_them_and_one_for_each_reason() -> None:
    invalid = [json.loads(path.read_text()) for path in (VECTORS / "invalid").iterdir()]
    assert len(invalid) >= 40
    trust = {one["expected"] for one in invalid if one["step"] == "trust"}
    assert trust == set(REASONS) - {"unsigned", "list", "ssh-keygen", "too-many"}
    kinds = {json.loads(path.read_text())["kind"] for path in (VECTORS / "valid").iterdir()}
    assert kinds == {"plan", "verdict", "override", "continue"}


@pytest.mark.parametrize("vector", _vectors("valid"))
def test_a_valid_record_is_read_and_its_signers_are_known(vector: dict[str, Any]) -> None:
    record = read(_line(vector))
    assert (record.id, kind_of(record.body)) == (vector["id"], vector["kind"])
    (found,) = weighed([record], SIGNERS, AT, os.environ)
    assert sorted(signer.principal for signer in found.record.signers) == sorted(vector["signers"])
    assert found.reason == ("" if vector["signers"] else "unsigned")


@pytest.mark.parametrize("vector", _vectors("invalid"))
def test_an_invalid_one_is_refused_for_its_reason(vector: dict[str, Any]) -> None:
    line = _line(vector)
    if vector["step"] == "read":
        assert decode(line) is None
        with pytest.raises(UnreadError) as refused:
            read(line)
        assert refused.value.code == vector["expected"]
        assert str(refused.value)
        return
    (found,) = weighed([read(line)], SIGNERS, AT, os.environ)
    assert (found.reason, found.record.signers) == (vector["expected"], ())
    assert found.record.doubt


def test_no_line_of_the_list_counts_that_should_not() -> None:
    assert [one.principals[0] for one in SIGNERS.allowed] == [
        "ada@example.org",
        "ben@example.org",
        "gone@example.org",
        "soon@example.org",
        "lost@example.org",
    ]
    assert len(SIGNERS.ignored) == 5


def test_a_folder_of_vectors_holds_nothing_else() -> None:
    assert {path.name for path in Path(VECTORS).iterdir()} == {
        "README.md",
        "allowed_signers",
        "revoked_keys",
        "valid",
        "invalid",
    }
