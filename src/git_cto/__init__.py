"""git-cto: Codex plans and reviews, Claude Code executes, Git remembers, the gate decides."""

__version__ = "0.1.0"
RELEASE = f"git-cto/git-cto@v{__version__}"  # what a workflow calls the action of this very version
