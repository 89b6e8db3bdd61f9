"""Installs the Claude Code skill `/codex-cto` for the user, and tells whether it is the one of this version."""

from __future__ import annotations

import os
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from git_cto.errors import UsageError, typed

if TYPE_CHECKING:
    from collections.abc import Mapping

NAME = "codex-cto"
FILES = ("SKILL.md", "scripts/cto-invoke.sh")


def skill_folder(environ: Mapping[str, str]) -> Path:
    """Where Claude Code looks for the user's own skills."""
    home = environ.get("CLAUDE_CONFIG_DIR") or os.path.join(environ.get("HOME") or Path.home(), ".claude")
    return Path(home) / "skills" / NAME


def install_skill(environ: Mapping[str, str]) -> str:
    """Writes the skill's files and says so. A folder of that name that is not ours is left alone: `UsageError`."""
    folder = skill_folder(environ)
    texts = {name: files("git_cto.skill").joinpath(name).read_text(encoding="utf-8") for name in FILES}
    manual = folder / "SKILL.md"
    if manual.exists() and "git cto" not in manual.read_text(encoding="utf-8", errors="replace"):
        raise UsageError(
            f"{folder} holds another skill of that name; it is left as it is.",
            f"mv {typed(str(folder))} {typed(f'{folder}.old')}, then again",
        )
    before = {name: _text(folder / name) for name in FILES}
    if before == texts:
        return f"{folder}: the skill was there, kept"
    try:
        for name, text in texts.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            path.chmod(0o755 if name.endswith(".sh") else 0o644)
    except OSError as error:
        raise UsageError(
            f"{folder} cannot be written: {error.strerror}.", f"ls -ld {typed(str(folder.parent))}"
        ) from error
    return f"{folder}: the skill is installed; in Claude Code: /{NAME} OBJECTIVE"


def _text(path: Path) -> str | None:
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else None
