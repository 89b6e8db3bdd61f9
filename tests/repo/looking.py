"""Looking at a change the way a review does, without a model: what it is, and what would be shown of it."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

from git_cto.gate.globs import matches
from git_cto.gate.policy import DEFAULT_SUMMARISED
from git_cto.model import Change
from git_cto.repo.change import identify
from git_cto.repo.git import discover
from git_cto.repo.lens import Lens
from git_cto.repo.patch import Shown, View, view
from tests.world import World

BUDGET = 500_000


@dataclass(frozen=True)
class Looked:
    """A change, and what is shown of it."""

    change: Change
    view: View

    def file(self, name: str) -> Shown:
        """The file that git-cto calls so."""
        found = {one.file.name: one for one in self.view.files}
        assert name in found, sorted(found)
        return found[name]

    def coverage(self, name: str) -> tuple[str, str]:
        """Status and reason of one file's coverage."""
        one = self.file(name).coverage
        return one.status, one.reason

    @property
    def patch(self) -> str:
        """All patches together, in order."""
        return "".join(one.patch for one in self.view.files)


def look(
    world: World, base: str = "main", head: str = "HEAD", *, budget: int = BUDGET, unseen: tuple[str, ...] = ()
) -> Looked:
    """What the change from `base` to `head` shows; files that match `unseen` may pass without being shown."""
    old, new = world.git("rev-parse", f"{base}^{{commit}}"), world.git("rev-parse", f"{head}^{{commit}}")
    with Lens(discover(str(world.path), os.environ), os.environ) as lens:
        change = identify(lens, old, new)
        shown = view(
            lens,
            change,
            max_bytes=budget,
            summarise=lambda path: matches(path, DEFAULT_SUMMARISED),
            may_be_unseen=lambda path: matches(path, unseen),
        )
    return Looked(change, shown)


def asked(world: World, *argv: str) -> str:
    """The prompt that a review here would send, its random marker replaced."""
    done = world.cto("review", "--dry-run", "--json", *argv)
    assert done.code == 0, done.text
    prompt = str(done.json["prompt"])
    marker = re.search(r"The marker of this question's data is (\w+)\.", prompt)
    assert marker, prompt[:300]
    return prompt.replace(marker[1], "MARKER")
