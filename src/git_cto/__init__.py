"""git-cto: Codex plans and reviews, Claude Code executes, Git remembers, the gate decides."""

__version__ = "0.1.0"
