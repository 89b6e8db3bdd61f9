"""The Claude Code skill `/codex-cto`: files that `git cto init --skill` installs, and nothing that is imported."""
