"""Who may have something done: people with write access; others, and bots, only where the workflow names them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from git_cto.action.scene import Means
    from git_cto.forge.values import User


def may_write(means: Means, user: User) -> bool:
    """Whether somebody has write access. Never a program: nobody stands behind what it types."""
    return not user.bot and means.hub.permission(user.login) in {"admin", "write"}


def may_ask(means: Means, user: User) -> bool:
    """Whether somebody may have a model asked."""
    login = user.login.lower()
    if user.bot:
        return login.removesuffix("[bot]") in means.inputs.allow_bots
    return login in means.inputs.allow_users or may_write(means, user)
