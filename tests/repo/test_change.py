"""What a change is: its identity, where it starts, and what makes it impossible to say."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.repo.looking import asked, look
from tests.world import Said, World

QUICK = settings(
    derandomize=True,
    deadline=None,
    max_examples=10,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@pytest.fixture
def topic(world: World) -> World:
    """A repository with one commit on the branch `topic`, checked out: version() says 2."""
    world.branch("topic")
    world.commit("Say 2", app__py="def version():\n    return 2\n")
    return world


def refused(done: Said, exit_code: int, code: str) -> str:
    """The sentence of a refusal that has this exit code and this word for programs."""
    error = done.json["error"]
    assert (done.code, done.json["exit_code"], error["code"]) == (exit_code, exit_code, code), done.text
    assert error["hint"]
    return str(error["message"])


# ---- identity

FILES = st.dictionaries(st.sampled_from(["a", "b", "c.py", "d e", "\u00fc"]), st.text(max_size=5), max_size=4)


@QUICK
@given(old=FILES, new=FILES)
def test_the_id_is_the_blob_id_of_the_raw_difference(world: World, old: dict[str, str], new: dict[str, str]) -> None:
    commits = []
    for files in (old, new):
        blobs = {name: world.git("hash-object", "-w", "--stdin", data=text.encode()) for name, text in files.items()}
        entries = "".join(f"100644 blob {blob}\t{name}\0" for name, blob in blobs.items())
        commits.append(world.git("commit-tree", "-m", "x", world.git("mktree", "-z", data=entries.encode())))
    change = look(world, *commits).change
    raw = world.git("diff-tree", "-r", "--raw", "--no-abbrev", "--no-renames", "-z", *commits)
    assert change.raw == raw.encode("utf-8", "surrogateescape")
    assert change.id == world.git("hash-object", "--stdin", data=change.raw)
    assert {file.path.decode() for file in change.files} == {
        name for name in old.keys() | new.keys() if old.get(name) != new.get(name)
    }


def test_another_message_squashing_and_rebasing_keep_the_id(topic: World) -> None:
    topic.commit("A second file", other__py="x = 1\n")
    first = look(topic).change
    topic.git("commit", "--amend", "-q", "-m", "Other words", "--date", "2001-01-01T00:00:00", "--author", "B <b@x>")
    assert look(topic).change.id == first.id
    topic.git("reset", "-q", "--soft", "main")
    topic.commit("Squashed")
    assert look(topic).change.id == first.id
    topic.git("switch", "-q", "main")
    topic.commit("Elsewhere", readme__md="hello\n")
    topic.git("rebase", "-q", "main", "topic")
    assert look(topic).change.id == first.id


def test_another_indentation_another_mode_and_another_base_make_another_id(topic: World) -> None:
    ids = [look(topic).change.id]
    topic.write("app.py", "def version():\n        return 2\n")
    topic.commit("Indent")
    ids.append(look(topic).change.id)
    (topic.path / "app.py").chmod(0o755)
    topic.commit("Run it")
    ids.append(look(topic).change.id)
    topic.git("switch", "-q", "main")
    topic.commit("Say 0", app__py="def version():\n    return 0\n")
    topic.git("rebase", "-q", "-X", "theirs", "main", "topic")
    ids.append(look(topic).change.id)
    assert len(set(ids)) == 4


def test_what_an_evil_merge_adds_is_part_of_the_change(topic: World) -> None:
    topic.git("switch", "-q", "main")
    topic.commit("Elsewhere", readme__md="hello\n")
    topic.git("switch", "-q", "topic")
    topic.git("merge", "-q", "--no-commit", "main")
    topic.write("readme.md", "hello, and goodbye\n")
    topic.write("backdoor.py", "import os\n")
    topic.commit("Merge main")
    prompt = asked(topic)
    assert "+hello, and goodbye\n" in prompt
    assert "+import os\n" in prompt


# ---- where it starts


def test_two_merge_bases_are_refused_with_what_to_do(topic: World) -> None:
    left = topic.head
    topic.git("switch", "-q", "main")
    topic.commit("Elsewhere", readme__md="hello\n")
    topic.git("merge", "-q", "-m", "One way", left)
    topic.git("switch", "-q", "topic")
    topic.git("merge", "-q", "-m", "The other way", "main^1")
    topic.commit("More", more__py="x = 1\n")
    for verb in ("review", "gate", "override"):
        done = topic.cto(verb, "--json", *(["--reason", "because"] if verb == "override" else []))
        assert "2 merge bases" in refused(done, 2, "usage")
        assert done.json["error"]["hint"] == "git merge main, then try again"
    topic.git("merge", "-q", "-m", "As it says", "main")
    assert "+x = 1\n" in asked(topic)


def test_no_common_ancestor_is_refused(world: World) -> None:
    world.git("switch", "-q", "--orphan", "island")
    world.commit("Alone", island__py="x = 1\n")
    for verb in ("review", "gate"):
        assert "no common ancestor" in refused(world.cto(verb, "--json"), 2, "usage")


def test_a_conflict_with_the_target_is_refused_before_any_model_is_asked_and_closes_the_gate(topic: World) -> None:
    assert topic.reviewed().code == 0
    assert topic.cto("gate").code == 0
    topic.git("switch", "-q", "main")
    topic.commit("Say 3", app__py="def version():\n    return 3\n")
    topic.git("switch", "-q", "topic")
    assert "conflicts with main in app.py" in refused(topic.cto("review", "--json"), 2, "conflict")
    gate = topic.cto("gate", "--json")
    assert (gate.code, gate.json["allowed"], gate.json["reasons"]) == (1, False, ["It conflicts with main: app.py."])
    assert gate.json["next"].startswith("git merge main")


def test_a_target_that_moved_elsewhere_does_not_close_the_gate(topic: World) -> None:
    assert topic.reviewed().code == 0
    topic.git("switch", "-q", "main")
    topic.commit("Elsewhere", readme__md="hello\n")
    topic.git("switch", "-q", "topic")
    assert topic.cto("gate").code == 0


def test_an_empty_change_is_nothing_to_review_and_no_approval(topic: World) -> None:
    topic.git("revert", "--no-edit", "HEAD")
    assert "changes nothing compared with main" in refused(topic.cto("review", "--json"), 2, "empty_change")
    gate = topic.cto("gate", "--json")
    assert (gate.code, gate.json["allowed"]) == (1, False)
    assert "nothing to approve" in gate.json["reasons"][0]
    assert refused(topic.cto("override", "--reason", "because", "--json"), 2, "empty_change")


# ---- shallow, partial, damaged


def clone(world: World, *options: str, name: str = "clone") -> World:
    """A clone over the file protocol, which honours depth and filters."""
    path = world.path.parent / name
    world.git("clone", "-q", "--no-checkout", *options, f"file://{world.path}", str(path))
    made = World(path, world._monkeypatch)
    made.git("update-ref", "refs/heads/topic", "refs/remotes/origin/topic")
    made.git("symbolic-ref", "HEAD", "refs/heads/topic")
    made.git("remote", "set-head", "origin", "main")
    made.git("read-tree", "HEAD")
    return made


def test_a_shallow_clone_without_the_merge_base_is_an_error_with_what_to_do(topic: World) -> None:
    topic.git("switch", "-q", "main")
    topic.commit("Elsewhere", readme__md="hello\n")
    shallow = clone(topic, "--depth=1", "--no-single-branch")
    for verb in (("review", "--dry-run"), ("gate",), ("override", "--reason", "because")):
        done = shallow.cto(*verb, "--json")
        assert "shallow" in refused(done, 3, "shallow")
        assert done.json["error"]["hint"] == "git fetch --unshallow"


def test_a_shallow_clone_that_has_the_merge_base_is_enough(topic: World) -> None:
    topic.git("switch", "-q", "main")
    topic.commit("One more", one__txt="1\n")
    base = topic.head
    topic.git("rebase", "-q", "main", "topic")
    topic.git("switch", "-q", "main")
    topic.commit("Elsewhere", readme__md="hello\n")
    topic.git("switch", "-q", "topic")
    whole = asked(topic)
    shallow = clone(topic, "--depth=2", "--no-single-branch")
    assert (shallow.path / ".git" / "shallow").read_text() == base + "\n"
    assert asked(shallow) == whole
    assert shallow.cto("gate").code == 1


def test_a_shallow_clone_whose_cut_may_hide_another_merge_base_is_an_error(topic: World) -> None:
    # main: A - B - M(B, T); topic: A - T - N(T, B). B and T are both merge bases; at this depth only one can be seen.
    side = topic.head
    topic.git("switch", "-q", "main")
    topic.commit("Elsewhere", readme__md="hello\n")
    base = topic.head
    topic.git("merge", "-q", "-m", "One way", side)
    topic.git("switch", "-q", "topic")
    for number in range(3):
        topic.commit(f"More {number}", more__py=f"x = {number}\n")
    topic.git("merge", "-q", "-m", "The other way", base)
    shallow = clone(topic, "--depth=2", "--no-single-branch")
    assert shallow.git("merge-base", "--all", "origin/main", "HEAD") == base, "plain git believes in the cut"
    assert refused(shallow.cto("gate", "--json"), 3, "shallow")


def partial(world: World) -> World:
    """A clone without blobs."""
    world.git("config", "uploadpack.allowFilter", "true")
    return clone(world, "--filter=blob:none")


def without_origin(world: World) -> None:
    """Takes the place away where a clone came from."""
    world.path.rename(world.path.parent / "gone")


def missing(world: World) -> int:
    """How many objects a partial clone lacks."""
    return len(world.git("rev-list", "--objects", "--all", "--missing=print").split("?")) - 1


def test_a_partial_clone_fetches_what_it_has_to_show_and_then_works_offline(topic: World) -> None:
    whole = asked(topic)
    made = partial(topic)
    assert missing(made) == 2
    assert asked(made) == whole
    assert missing(made) == 0
    without_origin(topic)
    assert asked(made) == whole


def test_a_partial_clone_that_is_offline_is_an_error_and_no_empty_diff(topic: World) -> None:
    made = partial(topic)
    without_origin(topic)
    done = made.cto("review", "--dry-run", "--json")
    assert "2 files are needed and not in this partial clone" in refused(done, 3, "missing_object")


def test_a_partial_clone_judges_under_the_policy_whose_file_it_lacks(topic: World) -> None:
    topic.policy('[review]\nmodel = "chosen-by-policy"\n')
    made = partial(topic)
    done = made.cto("review", "--dry-run", "--json")
    assert done.json["model"] == "chosen-by-policy"
    shutil.rmtree(made.path)
    made = partial(topic)
    without_origin(topic)
    assert refused(made.cto("gate", "--json"), 3, "missing_object")


def test_a_partial_clone_can_tell_whether_a_change_still_merges(topic: World) -> None:
    topic.commit("Long", long__txt="".join(f"{number}\n" for number in range(30)))
    topic.git("switch", "-q", "main")
    topic.git("merge", "-q", "topic")
    topic.commit("At the end", long__txt="".join(f"{number}\n" for number in range(31)))
    topic.git("switch", "-q", "topic")
    topic.commit("At the start", long__txt="".join(f"{number}\n" for number in range(-1, 30)))
    made = partial(topic)
    done = made.cto("gate", "--json")
    assert "not all in this clone" in refused(done, 3, "missing_object")
    assert "+-1\n" in asked(made)
    without_origin(topic)
    assert made.cto("gate").code == 1


@pytest.mark.parametrize("what", ["HEAD:app.py", "main:app.py"])
def test_a_missing_file_is_an_error_and_no_empty_diff(topic: World, what: str) -> None:
    oid = topic.git("rev-parse", what)
    (topic.path / ".git" / "objects" / oid[:2] / oid[2:]).unlink()
    assert oid[:12] in refused(topic.cto("review", "--dry-run", "--json"), 3, "missing_object")


@pytest.mark.parametrize("what", ["HEAD^{tree}", "main^{tree}"])
def test_a_missing_tree_is_an_error_and_no_empty_diff(topic: World, what: str) -> None:
    oid = topic.git("rev-parse", what)
    (topic.path / ".git" / "objects" / oid[:2] / oid[2:]).unlink()
    for verb in (("review", "--dry-run"), ("gate",)):
        done = topic.cto(*verb, "--json")
        assert (done.code, done.json["error"]["code"]) == (3, "missing_object"), done.text


def test_a_missing_policy_is_an_error_and_not_the_default(topic: World) -> None:
    topic.policy('[gate]\ntrust = "signed"\n')
    oid = topic.git("rev-parse", "main:.cto/config.toml")
    (topic.path / ".git" / "objects" / oid[:2] / oid[2:]).unlink()
    for verb in (("review", "--dry-run"), ("gate",)):
        assert refused(topic.cto(*verb, "--json"), 3, "missing_object")


def test_a_damaged_file_is_an_error(topic: World) -> None:
    oid = topic.git("rev-parse", "HEAD:app.py")
    path = topic.path / ".git" / "objects" / oid[:2] / oid[2:]
    path.chmod(0o644)
    path.write_bytes(b"garbage")
    done = topic.cto("review", "--dry-run", "--json")
    assert done.code == 3, done.text
    assert "bug" not in done.text


# ---- SHA-256


def test_a_sha256_repository_goes_the_whole_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(tmp_path / "sha256", monkeypatch)
    world.git("init", "-q", "--object-format=sha256", "--initial-branch=main")
    world.commit("A tiny service", app__py="def version():\n    return 1\n", b__png=b"\0")
    run = world.planned_by_codex()
    assert world.cto("start", "t1").code == 0
    world.write("app.py", "def version():\n    return 2\n")
    assert world.cto("finish", "-m", "Says 2").code == 0
    done = world.reviewed("Done")
    assert (done.code, done.json["run"], len(done.json["change"])) == (0, run, 64), done.text
    assert world.git("cat-file", "-t", done.json["change"]) == "blob"
    assert world.cto("gate").code == 0
    world.commit("More", b__png=b"\0\1")
    assert world.cto("gate").code == 1
