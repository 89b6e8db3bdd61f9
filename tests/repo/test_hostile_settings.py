"""Nothing that a repository, a user or an environment sets up bends what a change is or what a reviewer reads.

Each case asks the same question twice, without and with the setting, and compares byte for byte.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.repo.looking import Looked, asked, look
from tests.world import World

BEFORE = "".join(f"def f{number}():\n    return {number}\n\n\n" for number in range(12))
AFTER = BEFORE.replace("return 5", "return  50").replace("return 9\n", "return 90\r\n") + "def g():\n\n    pass"


@pytest.fixture
def topic(world: World) -> World:
    """A change with a bit of everything that a setting could bend, on the branch `topic`."""
    world.commit("Before", app__py=BEFORE, moved__py=BEFORE, notes__txt="a\n\nb\n")
    world.branch("topic")
    world.git("mv", "moved.py", "elsewhere.py")
    world.write("sub/\u00fcml\u00e4ut.txt", "caf\u00e9\n").chmod(0o755)
    world.write("picture.png", b"\0")
    world.commit("After", app__py=AFTER, notes__txt="b\n\n\na\n")
    world.git("update-index", "--add", "--cacheinfo", f"160000,{'ab' * 20},lib")
    world.git("commit", "-q", "-m", "A submodule")
    return world


def _same(world: World, prompt: str, plain: Looked) -> None:
    seen = look(world)
    assert (seen.change, seen.view) == (plain.change, plain.view)
    assert asked(world) == prompt


SETTINGS = {
    "diff.external": "touch ../ran; false",
    "diff.noprefix": "true",
    "diff.mnemonicPrefix": "true",
    "diff.orderFile": "../order",
    "diff.algorithm": "patience",
    "diff.indentHeuristic": "false",
    "diff.context": "0",
    "diff.interHunkContext": "30",
    "diff.renames": "copies",
    "diff.renameLimit": "1",
    "diff.submodule": "log",
    "diff.ignoreSubmodules": "all",
    "diff.colorMoved": "zebra",
    "diff.wsErrorHighlight": "all",
    "diff.suppressBlankEmpty": "true",
    "diff.relative": "true",
    "diff.wordRegex": ".",
    "diff.odd.textconv": "touch ../ran; cat",
    "diff.odd.command": "touch ../ran; false",
    "diff.odd.xfuncname": "^never$",
    "diff.odd.binary": "true",
    "color.ui": "always",
    "core.quotePath": "false",
    "core.abbrev": "4",
    "core.attributesFile": "../attributes",
    "core.autocrlf": "true",
    "core.eol": "crlf",
    "core.safecrlf": "false",
    "core.whitespace": "cr-at-eol,tab-in-indent",
    "core.bigFileThreshold": "1",
    "core.fsmonitor": "../hook",
    "core.hooksPath": "../hooks",
    "core.useReplaceRefs": "true",
    "core.precomposeUnicode": "true",
    "core.ignoreCase": "true",
    "core.pager": "touch ../ran; cat",
    "core.commentChar": "@",
    "core.packedGitLimit": "1m",
    "i18n.logOutputEncoding": "ISO-8859-1",
    "i18n.commitEncoding": "UTF-16",
    "submodule.lib.ignore": "all",
    "merge.renames": "false",
    "merge.default": "odd",
    "merge.odd.driver": "touch ../ran; false",
    "filter.odd.clean": "touch ../ran; cat",
    "filter.odd.smudge": "touch ../ran; cat",
    "alias.diff-tree": "!touch ../ran",
    "alias.cat-file": "!touch ../ran",
    "feature.experimental": "true",
    "extensions.worktreeConfig": "true",
}
ATTRIBUTES = "* diff=odd merge=odd filter=odd -text export-subst ident working-tree-encoding=UTF-16 whitespace=-all\n"


def _surroundings(world: World) -> Path:
    """What the settings point at; returns the file that exists once anything of it was run."""
    around = world.path.parent
    (around / "order").write_text("sub/*\n*.txt\n")
    (around / "attributes").write_text(ATTRIBUTES + "*.py -diff\n")
    hook = around / "hook"
    hook.write_text("#!/bin/sh\ntouch ../ran\n")
    hook.chmod(0o755)
    (around / "hooks").mkdir()
    for name in ("reference-transaction", "post-index-change", "fsmonitor-watchman"):
        (around / "hooks" / name).symlink_to(hook)
    return around / "ran"


@pytest.mark.parametrize("scope", ["--local", "--global"])
def test_no_setting_of_git_bends_the_change(topic: World, scope: str) -> None:
    prompt, plain = asked(topic), look(topic)
    ran = _surroundings(topic)
    for name, value in SETTINGS.items():
        topic.git("config", scope, name, value)
    info = topic.path / ".git" / "info" / "attributes"
    info.write_text(ATTRIBUTES)
    # `git status` tells of work that is not committed as the user's git does, with filters and fsmonitor: not here.
    topic.git("config", scope, "core.fsmonitor", "false")
    for name in ("clean", "smudge"):
        topic.git("config", scope, f"filter.odd.{name}", "cat")
    _same(topic, prompt, plain)
    assert not ran.exists()


@pytest.mark.parametrize("name", ["diff.orderFile", "diff.context", "core.abbrev", "diff.noprefix", "diff.external"])
def test_a_setting_alone_bends_plain_git_and_not_us(topic: World, name: str) -> None:
    prompt, plain = asked(topic), look(topic)
    _surroundings(topic)
    argv = ("diff", "main", "HEAD", "--", "app.py", "notes.txt", "sub")
    before = topic.git(*argv)
    topic.git("config", name, {"core.abbrev": "30"}.get(name, SETTINGS[name]))
    assert topic.git(*argv, ok=False) != before, "the setting does nothing, so this shows nothing"
    _same(topic, prompt, plain)


def test_variables_of_the_environment_do_not_bend_the_change(topic: World, monkeypatch: pytest.MonkeyPatch) -> None:
    prompt, plain = asked(topic), look(topic)
    ran = _surroundings(topic)
    variables = {
        "GIT_EXTERNAL_DIFF": f"touch {ran}; false",
        "GIT_DIFF_OPTS": "-U0",
        "GIT_PAGER": f"touch {ran}; cat",
        "GIT_CONFIG_COUNT": "2",
        "GIT_CONFIG_KEY_0": "diff.noprefix",
        "GIT_CONFIG_VALUE_0": "true",
        "GIT_CONFIG_KEY_1": "diff.context",
        "GIT_CONFIG_VALUE_1": "0",
        "GIT_CONFIG_PARAMETERS": "'diff.context'='1'",
        "GIT_GLOB_PATHSPECS": "1",
        "GIT_ICASE_PATHSPECS": "1",
        "GIT_ATTR_SOURCE": "HEAD",
        "GIT_REPLACE_REF_BASE": "refs/heads/",
        "GIT_NOTES_REF": "refs/notes/other",
        "GIT_DEFAULT_HASH": "sha256",
        "GIT_GRAFT_FILE": str(topic.path.parent / "hook"),
        "GIT_NAMESPACE": "other",
        "LC_ALL": "de_DE.UTF-8",
        "LANGUAGE": "de",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    seen = asked(topic)
    for name in variables:
        monkeypatch.delenv(name)
    assert seen == prompt
    assert look(topic).change.id == plain.change.id
    assert not ran.exists()


@pytest.mark.parametrize("what", ["HEAD", "HEAD^{tree}", "HEAD:app.py", "main", "main^{tree}", "main:app.py"])
def test_a_replacement_of_an_object_replaces_nothing(topic: World, what: str) -> None:
    prompt, plain = asked(topic), look(topic)
    kind = topic.git("cat-file", "-t", what)
    harmless = {
        "commit": lambda: topic.git("commit-tree", "-m", "Harmless", "main^{tree}"),
        "tree": lambda: topic.git("mktree", data=b""),
        "blob": lambda: topic.git("hash-object", "-w", "--stdin", data=b"harmless\n"),
    }[kind]()
    topic.git("replace", "-f", topic.git("rev-parse", what), harmless)
    assert topic.git("cat-file", "-p", what) == topic.git("cat-file", "-p", harmless)
    _same(topic, prompt, plain)


def test_a_graft_moves_no_merge_base(topic: World) -> None:
    prompt, plain = asked(topic), look(topic)
    root = topic.git("rev-list", "--max-parents=0", "HEAD")
    (topic.path / ".git" / "info" / "grafts").write_text(f"{topic.head} {root}\n")
    assert topic.git("merge-base", "main", "HEAD") == root
    _same(topic, prompt, plain)


def test_objects_may_lie_in_another_repository_or_in_packs(topic: World) -> None:
    prompt, plain = asked(topic), look(topic)
    shared = World(topic.path.parent / "shared", topic._monkeypatch)
    topic.git("switch", "-q", "main")
    shared.git("clone", "-q", "--shared", str(topic.path), ".")
    shared.git("switch", "-q", "topic")
    _same(shared, prompt, plain)
    topic.git("switch", "-q", "topic")
    topic.git("repack", "-adfq", "--depth=50")
    topic.git("prune-packed")
    topic.git("pack-refs", "--all")
    _same(topic, prompt, plain)


def test_neither_the_worktree_nor_the_index_is_part_of_the_change(topic: World) -> None:
    prompt, plain = asked(topic), look(topic)
    topic.write("app.py", "harmless\n")
    topic.write(".gitattributes", "* -diff\n")
    topic.write("new.py", "new\n")
    topic.git("add", "app.py", ".gitattributes")
    (topic.path / "notes.txt").unlink()
    _same(topic, prompt, plain)
    done = topic.cto("gate")
    assert (done.code, "5 paths are not committed and not part of this" in done.err) == (1, True), done.text


def test_an_index_that_cannot_be_read_is_an_error_and_not_a_clean_worktree(topic: World) -> None:
    (topic.path / ".git" / "index").write_bytes(b"garbage")
    for verb in ("review", "gate"):
        done = topic.cto(verb, "--json")
        assert (done.code, done.json["error"]["code"]) == (3, "git_failed"), done.text
        assert done.json["error"]["message"].startswith("git status failed")
