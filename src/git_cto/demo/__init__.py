"""The demo: the real Codex and Claude Code, a throw-away repository, and a server with the answers of both models."""
