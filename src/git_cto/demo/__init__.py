"""The demo: the real Codex, a throw-away repository, and a model server whose answers were written beforehand."""
