"""The instructions that engines get: text files of this package, and nothing of any repository."""

from importlib.resources import files


def instructions(name: str) -> str:
    """The text of `<name>.md`."""
    return files(__name__).joinpath(f"{name}.md").read_text(encoding="utf-8")
