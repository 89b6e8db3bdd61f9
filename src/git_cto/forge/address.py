"""Where on the forge a repository is: read from the address of a git remote. Pure; nothing is asked."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from msgspec import Struct

GITHUB = "github.com"
_OTHER_NAMES = {"www.github.com": GITHUB, "ssh.github.com": GITHUB}
_SCP = re.compile(r"(?:[^@/:\s]+@)?([A-Za-z0-9.-]+):(?!//)(.+)")  # git@github.com:owner/repo.git
_PATH = re.compile(r"/*([A-Za-z0-9._-]{1,100})/([A-Za-z0-9._-]{1,100}?)(?:\.git)?/*", re.ASCII)


class Address(Struct, frozen=True):
    """A repository on a server that speaks GitHub's API, as far as its address tells."""

    host: str  # with a port, where there is one
    owner: str
    repo: str

    @property
    def slug(self) -> str:
        """The repository as `owner/repo`."""
        return f"{self.owner}/{self.repo}"

    @property
    def web(self) -> str:
        """Its page."""
        return f"https://{self.host}/{self.slug}"

    @property
    def enterprise_server(self) -> bool:
        """Whether it is no server of GitHub's own: those are github.com and the subdomains of ghe.com."""
        return self.host != GITHUB and not self.host.endswith(".ghe.com")

    @property
    def api(self) -> str:
        """Where its API is."""
        if self.host == GITHUB:
            return "https://api.github.com"
        return f"https://{self.host}/api/v3" if self.enterprise_server else f"https://api.{self.host}"


def read_address(url: str) -> Address | None:
    """The repository that a remote's address names; None for a path, and for what names none."""
    if scp := _SCP.fullmatch(url):
        return _address(scp[1], scp[2])
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in {"https", "http", "ssh", "git+ssh"} or not parts.hostname:
        return None
    web = parts.scheme in {"https", "http"}  # a port of ssh says nothing about that of the web
    return _address(f"{parts.hostname}:{port}" if port and web else parts.hostname, parts.path)


def _address(host: str, path: str) -> Address | None:
    named = _PATH.fullmatch(path)
    if named is None or named[1] in {".", ".."} or named[2] in {".", ".."}:
        return None
    host = host.lower()
    return Address(_OTHER_NAMES.get(host, host), named[1], named[2])
