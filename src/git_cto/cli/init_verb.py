"""`git cto init`: sets a repository up."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from git_cto.cli.shell import Shell, verb
from git_cto.errors import ExitCode, typed

if TYPE_CHECKING:
    from git_cto.work.github_setup import GithubSetUp

_COUNTS = "it counts once it is on the target branch"
_JSON = "git cto init --github{} --json"
_RULESET = "jq .github.ruleset"
_POLICY = "jq .github.actions_policy"


@verb("init", "git cto init --hook")
@click.option("--hook", is_flag=True, help="Install a pre-push hook that asks the gate.")
@click.option("--skill", is_flag=True, help="Install the Claude Code skill /codex-cto for you.")
@click.option("--signing", is_flag=True, help="Sign records here, and add your key to .cto/allowed_signers.")
@click.option("--github", is_flag=True, help="Write the workflow, and say how to make its check required.")
@click.option(
    "--app-id", metavar="ID", type=click.IntRange(1), default=None, help="A GitHub App that reports the check."
)
@click.option("--uses", metavar="ACTION", default=None, help="OWNER/REPO@REF of the action, else git-cto's release.")
def command(
    shell: Shell, *, hook: bool, skill: bool, signing: bool, github: bool, app_id: int | None, uses: str | None
) -> int:
    """Write .cto/config.toml (every key with its default) and let git fetch bring the records of every remote.

    With --signing what is recorded here is signed, by the key that git signs with, and .cto/allowed_signers gets its
    public half. With --github also .github/workflows/cto.yml; it prints the ruleset that makes the check required, as
    JSON and as clicks. It can be called again: what is there stays as it is.
    """
    from msgspec import UNSET

    from git_cto.gate.policy import POLICY_PATH
    from git_cto.ledger.signers import SIGNERS_PATH
    from git_cto.render.lines import wrapped
    from git_cto.render.terminal import next_line
    from git_cto.work.documents.set_up import InitDocument
    from git_cto.work.github_setup import against_kept, github_set_up, options
    from git_cto.work.setting_up import set_up
    from git_cto.work.signing_setup import plan_signing, set_signing_up
    from git_cto.work.skill import install_skill

    if not github and (app_id is not None or uses is not None):
        raise click.UsageError("--app-id and --uses go with --github")
    with shell.workspace() as workspace:
        to_sign = plan_signing(workspace) if signing else None  # refused before anything is written
        plan = github_set_up(workspace, app=app_id, uses=uses) if github else None
        against, mend = against_kept(workspace, app=app_id, uses=uses) if github else ("", "")
        done = set_up(workspace, hook=hook, workflow=plan.workflow if plan else None)
        signed = set_signing_up(workspace, to_sign) if to_sign else None
        sentences = (*done.done, *(signed.done if signed else ()))
        sentences += (install_skill(workspace.environ),) if skill else ()
    new = dict.fromkeys(os.path.dirname(POLICY_PATH) if path == POLICY_PATH else path for path in done.new)
    if signed and signed.listed:
        new |= dict.fromkeys([os.path.dirname(SIGNERS_PATH)])
    steps = [(mend, "")] if against else []
    steps += [(f"git add {' '.join(new)} && git commit -m 'Add git-cto'", _COUNTS)] if new else []
    steps.append(("git cto doctor", "checks the whole set-up"))
    shell.notes((against,) if against else ())
    shell.document(InitDocument(done=sentences, next=steps[0][0], github=plan.protection if plan else UNSET))
    for sentence in sentences:
        shell.say(wrapped(sentence, 0, 4))
    if plan:
        _say_how(shell, plan, _JSON.format(options(app_id, uses)))
    shell.say(next_line(*steps))
    return ExitCode.OK


def _say_how(shell: Shell, plan: GithubSetUp, command: str) -> None:
    """How the check is made required: as clicks for a person, as JSON for a program, which `command` prints."""
    import msgspec

    from git_cto.forge.address import GITHUB
    from git_cto.redaction import printable
    from git_cto.render.lines import wrapped

    told, address = plan.protection, plan.address
    shell.say(f"\nThe ruleset that blocks merges until {printable(told.check)} is a success:\n")
    ruleset = msgspec.json.encode(told.ruleset)
    shell.say(printable(msgspec.json.format(ruleset, indent=2).decode(), lines=True))
    slug = address.slug if address else "OWNER/REPO"
    host = "" if address is None or address.host == GITHUB else f" --hostname {typed(address.host)}"
    shell.say("\nBy a program, where you are an admin:\n")
    shell.say(f"  {command} | {_RULESET} | gh api{host} repos/{slug}/rulesets --input -\n")
    if told.actions_policy is not None:
        shell.say("In a public repository also, or GitHub starts no workflow on pull_request_target:\n")
        shell.say(f"  {command} | {_POLICY} | gh api{host} repos/{slug}/actions/policies --input -\n")
    shell.say("By hand, and what keeps the secrets from other branches:\n")
    for number, words in enumerate(told.clicks, 1):
        shell.say(f"  {number:>2}. {wrapped(words, 6)[6:]}")
    shell.say("\nGitHub offers a check by name once it was reported for the first time.")
