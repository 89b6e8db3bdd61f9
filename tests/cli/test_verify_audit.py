"""`git cto verify` and `git cto audit`: proofs with real signatures, of what is to land and of what has landed."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from git_cto.ledger.records import decode_all, encode
from git_cto.ledger.sshsig import NAMESPACE
from git_cto.ledger.store import Ledger
from git_cto.ledger.trusting import pre_authentication
from git_cto.model import Signature, VerdictRecord
from git_cto.repo.git import Git, discover
from tests.keys import Key, new_key
from tests.repo.test_malformed_trees import blob_of, tree_of
from tests.world import Said, World

KEY = "GIT_CTO_SIGNING_KEY"


@pytest.fixture
def rex(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Key:
    """Signs what is recorded, and is listed on main; no author of anything."""
    key = new_key(tmp_path / "keys", "rex@example.org")
    world.write(".cto/allowed_signers", key.line())
    world.policy('[gate]\ntrust = "signed"\n')
    monkeypatch.setenv(KEY, key.private)
    return key


def change(world: World, name: str, **files: str) -> str:
    world.branch(name, "main")
    return world.commit(f"Change {name}", **(files or {"app__py": f"# {name}\n"}))


def approved(world: World, name: str, **files: str) -> str:
    head = change(world, name, **files)
    assert world.reviewed().code == 0
    return head


def steps(said: Said) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for step in said.json["steps"]:
        found.setdefault(step["name"], []).append(step)
    return found


# ---- verify --------------------------------------------------------------------------------------------------------


def test_a_signed_approval_is_proven_step_by_step(world: World, rex: Key) -> None:
    head = approved(world, "feature")
    said = world.cto("verify", "--json")
    assert said.code == 0, said.text
    assert said.json["proven"]
    assert said.json["head"] == head
    assert said.json["signers"] == ["rex@example.org"]
    assert list(steps(said)) == [
        "change",
        "records",
        "record",
        "signature",
        "policy",
        "coverage",
        "outcomes",
    ]
    assert all(step["holds"] is not False for step in said.json["steps"])
    text = world.cto("verify")
    assert "rex@example.org" in text.out
    assert "computed again" in text.out
    assert text.out.splitlines()[-1].startswith(("Next: ", "      "))
    assert max(map(len, text.out.splitlines())) <= 80


def test_an_unsigned_approval_is_no_proof_unless_the_ledger_is_taken_at_its_word(world: World) -> None:
    change(world, "feature")
    world.reviewed()
    assert world.cto("gate").code == 0
    said = world.cto("verify", "--json")
    assert said.code == 1
    assert steps(said)["signature"][0]["holds"] is False
    assert "not signed" in said.json["reasons"][1]
    assert world.cto("verify", "--local").code == 0


def test_a_proof_begins_with_what_it_is_about(world: World) -> None:
    head, short = change(world, "feature"), world.head[:12]
    main = world.git("rev-parse", "main")[:12]
    assert world.cto("verify").out.startswith(f"verify {short} (feature) against main at {main}\n")
    world.git("switch", "--quiet", "--detach", head)
    assert world.cto("verify").out.startswith(f"verify {short} against main at {main}\n")


def test_one_more_change_breaks_the_proof(world: World, rex: Key) -> None:
    approved(world, "feature")
    world.commit("One more", app__py="# another\n")
    said = world.cto("verify", "--json")
    assert said.code == 1
    assert steps(said)["records"][0] == {
        "name": "records",
        "holds": False,
        "text": "0 records about exactly this change and target",
    }


def test_what_a_record_says_is_not_believed_where_it_can_be_computed(world: World, rex: Key) -> None:
    """A signer who signs a record with another coverage than the change has opens the gate, and is found out here."""
    approved(world, "feature")
    ledger = Ledger(Git(discover(str(world.path), os.environ), os.environ))
    (record,) = decode_all(ledger.lines())
    assert isinstance(record.body, VerdictRecord)
    lying = replace(record.body, coverage=replace(record.body.coverage, digest="0" * 64), supersedes=record.id)
    forged = encode(record.subject, lying)
    signature = Signature(sig=rex.sign(pre_authentication(forged.payload)))
    ledger.put(replace(forged, signatures=(signature,)), series=lying.series)
    assert world.cto("gate").code == 0
    said = world.cto("verify", "--json")
    assert said.code == 1
    assert said.json["allowed"]
    assert steps(said)["coverage"][0]["holds"] is False
    text = world.cto("verify").out
    assert "The gate would open" in text
    assert "git merge" not in text


def test_an_override_is_proven_too(world: World, rex: Key) -> None:
    change(world, "feature")
    world.cto("override", "--reason", "It has to be")
    said = world.cto("verify", "--json")
    assert said.code == 0, said.text
    assert "override by" in steps(said)["record"][0]["text"]


def test_a_line_of_the_list_that_does_not_count_is_named(world: World, rex: Key) -> None:
    world.git("switch", "-q", "main")
    world.write(".cto/allowed_signers", rex.line() + rex.line("", "other@example.org"))
    world.commit("A line without a namespace")
    approved(world, "feature")
    assert "namespaces" in steps(world.cto("verify", "--json"))["signers"][0]["text"]


# ---- audit ---------------------------------------------------------------------------------------------------------


def landed(world: World, *argv: str) -> None:
    """Lands the branch that is checked out on main."""
    branch = world.git("branch", "--show-current")
    world.git("switch", "-q", "main")
    world.git(*(word.replace("BRANCH", branch) for word in argv))


def events(said: Said) -> list[tuple[str, int]]:
    """How and with how many commits each landing came in, the oldest first."""
    return [(one["how"], len(one["commits"])) for one in map(json.loads, said.out.splitlines())][::-1]


def test_merged_squashed_rebased_and_fast_forwarded_changes_are_found_under_their_approvals(
    world: World, rex: Key
) -> None:
    start = world.git("rev-parse", "main")
    approved(world, "merged", one__py="1\n")
    landed(world, "merge", "-q", "--no-ff", "-m", "Merge it", "BRANCH")
    change(world, "squashed", two__py="1\n")
    world.commit("More of it", two__py="2\n")
    assert world.reviewed().code == 0
    landed(world, "merge", "-q", "--squash", "BRANCH")
    world.git("commit", "-q", "-m", "Squash it")
    change(world, "forwarded", three__py="1\n")
    world.commit("More of it", four__py="1\n")
    assert world.reviewed().code == 0
    landed(world, "merge", "-q", "--ff-only", "BRANCH")
    change(world, "rebased", five__py="1\n")
    world.commit("More of it", five__py="2\n")
    world.commit("Still more", six__py="1\n")
    assert world.reviewed().code == 0
    world.git("switch", "-q", "main")
    world.commit("Nobody looked at this", seven__py="1\n")
    world.git("switch", "-q", "rebased")
    world.git("rebase", "-q", "main")
    landed(world, "merge", "-q", "--ff-only", "BRANCH")
    said = world.cto("audit", f"{start}..main", "--events")
    assert events(said) == [("approved", 1), ("approved", 1), ("approved", 2), ("unapproved", 1), ("approved", 3)]
    assert said.code == 1
    text = world.cto("verify", f"{start}..main")
    assert text.code == 1
    assert "5 landings (8 commits): 4 approved, 1 unapproved." in text.out
    assert "Nobody judged this change." in text.out
    rows = [line for line in text.out.splitlines() if line[:1] in "✓✗"]
    assert [line[16:28] for line in rows] == [f"{how:<12}" for how in ["approved", "unapproved", *["approved"] * 3]]
    counted = world.cto("audit", f"{start}..main", "--json").json
    assert counted["counts"] == {"approved": 7, "unapproved": 1}
    assert counted["landings"] == {"approved": 4, "unapproved": 1}


@pytest.mark.parametrize("first", ["revise", "approve"])
def test_what_was_judged_on_the_way_says_nothing_against_the_whole(world: World, rex: Key, first: str) -> None:
    """A rebased branch of two rounds: the first commit has a verdict of its own."""
    start = world.git("rev-parse", "main")
    change(world, "rounds", one__py="1\n")
    said = {"verdict": "revise", "reason": "Say 2."} if first == "revise" else {}
    world.reviewed(**said)
    world.commit("Mend it", one__py="2\n")
    approval = world.reviewed()
    assert approval.code == 0, approval.text
    landed(world, "merge", "-q", "--ff-only", "BRANCH")
    assert events(world.cto("audit", f"{start}..main", "--events")) == [("approved", 2)]
    half = world.cto("audit", f"{start}..main~1")
    assert half.code == (1 if first == "revise" else 0)


def test_what_landed_and_was_taken_back_hides_behind_no_approval(world: World, rex: Key) -> None:
    """Together they make the approved change, and a workflow that nobody saw ran in between."""
    start = world.git("rev-parse", "main")
    change(world, "feature", one__py="1\n")
    world.commit("More of it", one__py="2\n")
    assert world.reviewed().code == 0
    landed(world, "merge", "-q", "--ff-only", "feature~1")
    world.commit("Nobody looked at this", evil__yml="on: push\n")
    world.git("rm", "-q", "evil.yml")
    world.git("commit", "-q", "-m", "Nothing to see here")
    world.git("cherry-pick", "feature")
    said = world.cto("audit", f"{start}..main", "--events")
    assert events(said) == [("unapproved", 1)] * 4
    assert "evil.yml was changed on the way and changed back." in said.out
    around = world.git("rev-parse", "main")
    world.commit("Nobody looked at this either", evil__yml="on: push\n")
    approved(world, "second", two__py="1\n")
    landed(world, "merge", "-q", "--no-ff", "-m", "Merge it", "BRANCH")
    world.git("rm", "-q", "evil.yml")
    world.git("commit", "-q", "-m", "Nothing to see here")
    said = world.cto("audit", f"{around}..main", "--events")
    assert events(said) == [("unapproved", 1), ("approved", 1), ("unapproved", 1)]


def test_a_shallow_clone_says_how_to_get_the_rest(
    world: World, rex: Key, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.commit("More")
    clone = World(tmp_path / "shallow", monkeypatch)
    clone.git("clone", "-q", "--depth", "1", f"file://{world.path}", ".")
    said = clone.cto("audit")
    assert said.code == 2, said.text
    assert "Next: git fetch --unshallow" in said.err


def test_without_a_range_the_audit_begins_where_the_policy_came_in(world: World, rex: Key) -> None:
    approved(world, "feature")
    landed(world, "merge", "-q", "--no-ff", "-m", "Merge it", "BRANCH")
    said = world.cto("audit", "--json")
    assert said.code == 1, said.text
    assert said.json["counts"] == {"approved": 1, "unapproved": 1}
    assert [one["subject"] for one in said.json["unapproved"]] == ["Policy"]


def test_the_document_of_an_audit_leads_on_as_its_text_does(world: World, rex: Key) -> None:
    policy = world.head
    approved(world, "feature")
    landed(world, "merge", "-q", "--no-ff", "-m", "Merge it", "BRANCH")
    assert world.cto("audit", "--json").json["next"] == f"git cto audit {policy[:12]}..main"
    assert world.cto("audit", f"{policy}..main", "--json").json["next"] == ""
    bad = world.commit("Nobody judged this", third__py="1\n")
    both = world.cto("audit", "--json").json["next"]
    assert both == f"git show {bad[:12]}, or git cto audit {policy[:12]}..main"
    text = world.cto("audit").out.partition("Next: ")[2]
    assert all(command in text for command in both.split(", or "))


def test_every_landing_is_told_with_the_record_that_it_came_in_under(world: World, rex: Key) -> None:
    start = world.git("rev-parse", "main")
    approved(world, "feature")
    landed(world, "merge", "-q", "--no-ff", "-m", "Merge it", "BRANCH")
    change(world, "second", two__py="1\n")
    assert world.cto("override", "--reason", "It had to be").code == 0
    landed(world, "merge", "-q", "--no-ff", "-m", "Merge it as well", "BRANCH")
    override, verdict = [
        json.loads(line)["record"] for line in world.cto("audit", f"{start}..", "--events").out.split("\n")[:2]
    ]
    said = world.cto("audit", f"{start}..")
    lines = " ".join(said.out.split())
    assert f"approved Merge it round 1 by gpt-5.4, signed by rex@example.org, record {verdict[:12]}" in lines
    assert f"override by Ada, signed by rex@example.org, record {override[:12]}: It had to be" in lines
    assert max(map(len, said.out.splitlines())) <= 80
    assert "2 landings: 1 approved, 1 overridden." in said.out


def test_the_commits_that_nobody_could_sign_for_stay_unapproved_and_a_range_without_them_is_named(
    world: World, rex: Key
) -> None:
    """The fixture's commit brought the policy and the first signers: nobody was listed where it landed."""
    set_up = world.git("rev-parse", "main")[:12]
    approved(world, "feature")
    landed(world, "merge", "-q", "--no-ff", "-m", "Merge it", "BRANCH")
    said = world.cto("audit")
    assert said.code == 1
    assert said.out.splitlines()[-1] == f"Next: git cto audit {set_up}..main   leaves out the set-up"
    assert world.cto("audit", f"{set_up}..main").code == 0
    night = world.commit("Nobody looked at this", two__py="1\n")[:12]
    assert world.cto("audit").out.splitlines()[-2:] == [
        f"Next: git show {night}",
        f"      git cto audit {set_up}..main   leaves out the set-up",
    ]
    assert "set-up" not in world.cto("audit", "main~1..main").out


def test_where_nobody_was_ever_listed_no_range_is_offered(world: World) -> None:
    world.policy('[gate]\ntrust = "signed"\n')
    said = world.cto("audit")
    assert (said.code, said.out.splitlines()[-1][:15]) == (1, "Next: git show ")
    assert "set-up" not in said.out


def test_a_landing_is_judged_by_the_signers_of_the_commit_that_it_landed_on(world: World, rex: Key) -> None:
    start = world.git("rev-parse", "main")
    approved(world, "feature")
    landed(world, "merge", "-q", "--no-ff", "-m", "Merge it", "BRANCH")
    world.write(".cto/allowed_signers", "# rex has left\n")
    world.commit("Rex has left")
    assert events(world.cto("audit", f"{start}..main~1", "--events")) == [("approved", 1)]
    approved(world, "later", other__py="1\n")
    landed(world, "merge", "-q", "--no-ff", "-m", "Merge it too", "BRANCH")
    assert world.cto("audit", "main~1..main").code == 1


def test_a_key_that_is_revoked_today_counts_nowhere(world: World, rex: Key) -> None:
    start = world.git("rev-parse", "main")
    approved(world, "feature")
    landed(world, "merge", "-q", "--no-ff", "-m", "Merge it", "BRANCH")
    world.write(".cto/revoked_keys", rex.public + "\n")
    world.commit("Rex lost it")
    said = world.cto("audit", f"{start}..main~1")
    assert said.code == 1
    assert "revoked" in said.out


def test_a_refused_change_that_landed_all_the_same_is_named_with_its_refusal(world: World, rex: Key) -> None:
    start = world.git("rev-parse", "main")
    change(world, "feature")
    world.reviewed(verdict="revise", reason="The answer is wrong.")
    landed(world, "merge", "-q", "--no-ff", "-m", "Merge it", "BRANCH")
    said = world.cto("audit", f"{start}..")
    assert said.code == 1
    assert "said revise: The answer is wrong." in said.out


def test_an_evil_merge_is_another_change(world: World, rex: Key) -> None:
    start = world.git("rev-parse", "main")
    approved(world, "feature")
    landed(world, "merge", "-q", "--no-ff", "--no-commit", "BRANCH")
    world.write("backdoor.py", "1\n")
    world.commit("Merge it")
    assert events(world.cto("audit", f"{start}..main", "--events")) == [("unapproved", 1)]


def test_the_signers_own_landing_is_no_four_eyes_and_who_only_merges_is_no_author(world: World, rex: Key) -> None:
    start = world.git("rev-parse", "main")
    approved(world, "feature")
    world.git("switch", "-q", "main")
    world.git("-c", "user.email=rex@example.org", "merge", "-q", "--squash", "feature")
    world.git("-c", "user.email=rex@example.org", "commit", "-q", "--author", "Ada <ada@example.org>", "-m", "Squash")
    assert events(world.cto("audit", f"{start}..main", "--events")) == [("approved", 1)]
    world.branch("own", "main")
    world.write("own.py", "1\n")
    world.git("add", ".")
    world.git("-c", "user.email=rex@example.org", "commit", "-q", "--author", "Rex <rex@example.org>", "-m", "Own")
    world.reviewed()
    landed(world, "merge", "-q", "--no-ff", "-m", "Merge it", "BRANCH")
    said = world.cto("audit", "main~1..main")
    assert said.code == 1
    assert "rex@example.org signed it" in said.out


def test_nothing_else_than_a_range_is_taken(world: World) -> None:
    assert world.cto("audit", "main").code == 2
    assert world.cto("audit", "main...main").code == 2
    assert world.cto("audit", "nowhere..main").code == 2
    assert world.cto("audit", "--json", "--events").code == 2


def test_a_branch_that_took_the_place_of_main_is_no_history_of_it(world: World, rex: Key) -> None:
    """With main merged into it, main looks like its side branch; its own commits came in beside every list of today."""
    seen = world.git("rev-parse", "main")
    world.branch("turned", "main~1")
    world.commit("Nobody looked at this", backdoor__py="1\n")
    world.git("merge", "-q", "--no-ff", "-m", "Merge main", "main")
    landed(world, "merge", "-q", "--ff-only", "BRANCH")
    said = world.cto("audit", f"{seen}..main")
    assert said.code == 2, said.text
    assert "is no commit that main stood at" in said.err
    assert "Next: git log --first-parent --oneline main" in said.err


def test_what_was_rewritten_does_not_pass_for_nothing(world: World, rex: Key) -> None:
    """The last commit that was audited is gone, and what is there instead is older than it."""
    seen = world.git("rev-parse", "main")
    world.git("reset", "-q", "--hard", "main~1")
    assert world.cto("audit", f"{seen}..main").code == 2
    assert world.cto("audit", "main..main").code == 0


@pytest.mark.parametrize("time", ["2015-06-01T00:00:00Z", "2036-06-01T00:00:00Z", "@900000000000000 +0000"])
def test_no_committers_clock_makes_a_key_valid(
    world: World, rex: Key, time: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The key was valid until 2016, or will be from 2035 on; who lands writes down whatever suits."""
    start = world.git("rev-parse", "main")
    plain = f'namespaces="{NAMESPACE}"'
    world.write(
        ".cto/allowed_signers",
        rex.line(f'{plain},valid-before="20160101"') + rex.line(f'{plain},valid-after="20350101"'),
    )
    world.commit("Not now")
    start = world.git("rev-parse", "main")
    approved(world, "feature")
    monkeypatch.setenv("GIT_COMMITTER_DATE", time)
    landed(world, "merge", "-q", "--no-ff", "-m", "Merge it", "BRANCH")
    assert world.git("show", "--no-patch", "--format=%ct") != world.git("show", "--no-patch", "--format=%ct", start)
    said = world.cto("audit", f"{start}..main", "--events")
    assert events(said) == [("unapproved", 1)], said.text


def test_a_list_of_revoked_keys_that_cannot_be_read_revokes_all(world: World, rex: Key) -> None:
    start = world.git("rev-parse", "main")
    approved(world, "feature")
    landed(world, "merge", "-q", "--no-ff", "-m", "Merge it", "BRANCH")
    assert events(world.cto("audit", f"{start}..main", "--events")) == [("approved", 1)]
    path = world.write(".cto/revoked_keys", rex.public + "\n")
    path.chmod(0o755)
    world.commit("Rex lost it")
    said = world.cto("audit", f"{start}..main~1")
    assert said.code == 1, said.text
    assert "no ordinary file" in " ".join(said.out.split())


def by_hand(world: World, branch: str, twice: str, *others: str) -> str:
    """A commit on main with the tree of a branch, in which one name stands for these objects, one after the other."""
    said = (line.split(maxsplit=3) for line in world.git("ls-tree", branch).splitlines())
    entries = [(mode.lstrip("0"), name, oid) for mode, _, oid, name in said]
    made = [(mode, name, one) for mode, name, oid in entries for one in (others if name == twice else (oid,))]
    return world.git("commit-tree", "-p", "main", "-m", "By hand", tree_of(world, made))


def test_a_landing_that_names_one_path_twice_is_no_approved_change(world: World, rex: Key) -> None:
    """Of two files of one name, the approved one is only one."""
    start = world.git("rev-parse", "main")
    approved(world, "feature", new__py="good\n")
    both = (blob_of(world, "evil\n"), world.git("rev-parse", "feature:new.py"))
    world.git("update-ref", "refs/heads/main", by_hand(world, "feature", "new.py", *both))
    audited = world.cto("audit", f"{start}..main", "--events")
    assert (audited.code, events(audited)) == (1, [("unapproved", 1)]), audited.text
    assert "names one path twice" in audited.out
    assert world.git("show", "main:new.py") == "evil"


def test_what_landed_on_a_policy_that_stands_there_twice_is_nobodys_and_ends_no_audit(world: World, rex: Key) -> None:
    start = world.git("rev-parse", "main")
    approved(world, "feature")
    both = (world.git("rev-parse", "main:.cto"), tree_of(world, []))
    world.git("update-ref", "refs/heads/main", by_hand(world, "main", ".cto", *both))
    merge = world.git("commit-tree", "-p", "main", "-p", "feature", "-m", "Merge it", "feature^{tree}")
    world.git("update-ref", "refs/heads/main", merge)
    approved(world, "second", two__py="1\n")
    landed(world, "merge", "-q", "--no-ff", "-m", "Merge it as well", "BRANCH")
    audited = world.cto("audit", f"{start}..main", "--events")
    assert events(audited) == [("empty", 1), ("unapproved", 1), ("approved", 1)], audited.text
    assert "It landed on no policy that can be read. A tree here names '.cto' twice" in audited.out
    assert world.cto("audit", f"{start}..main").code == 1


@pytest.mark.parametrize("policy", [b"[gate\n", b"\xff"], ids=["no TOML", "no text"])
def test_a_policy_that_nobody_can_read_ends_no_audit(world: World, rex: Key, policy: bytes) -> None:
    """What landed on it is nobody's; what came before and after is judged all the same."""
    start = world.git("rev-parse", "main")
    approved(world, "feature")
    landed(world, "merge", "-q", "--no-ff", "-m", "Merge it", "BRANCH")
    approved(world, "second", two__py="1\n")
    world.git("switch", "-q", "main")
    world.write(".cto/config.toml", policy)
    world.commit("Policy")
    world.git("switch", "-q", "second")
    landed(world, "merge", "-q", "--no-ff", "-m", "Merge it as well", "BRANCH")
    world.policy('[gate]\ntrust = "signed"\n')
    said = world.cto("audit", f"{start}..main", "--events")
    assert said.code == 1, said.text
    assert [how for how, _ in events(said)] == ["approved", "unapproved", "unapproved", "unapproved"]
    assert "It landed on no policy that can be read." in said.out


def test_no_record_makes_the_authors_of_what_landed_others(world: World, rex: Key) -> None:
    """Rex lets his own work in by an approval of a commit that bears another name and makes the same change."""
    start = world.git("rev-parse", "main")
    approved(world, "feature", app__py="# mine\n")
    world.branch("own", "main")
    world.write("app.py", "# mine\n")
    world.git("add", ".")
    world.git("-c", "user.email=rex@example.org", "commit", "-q", "--author", "Rex <rex@example.org>", "-m", "Own")
    landed(world, "merge", "-q", "--no-ff", "-m", "Merge it", "BRANCH")
    said = world.cto("audit", f"{start}..main")
    assert said.code == 1, said.text
    assert "is an author of the change" in " ".join(said.out.split())
