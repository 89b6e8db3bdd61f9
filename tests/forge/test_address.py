"""How the address of a git remote names a repository of the forge."""

from __future__ import annotations

import pytest

from git_cto.forge.address import Address, read_address


@pytest.mark.parametrize(
    "url",
    [
        "https://github.com/acme/widget",
        "https://github.com/acme/widget.git",
        "https://token@github.com/acme/widget.git/",
        "https://www.github.com/acme/widget",
        "http://GitHub.com/acme/widget",
        "git@github.com:acme/widget.git",
        "github.com:acme/widget",
        "ssh://git@github.com/acme/widget.git",
        "ssh://git@ssh.github.com:443/acme/widget.git",
        "git+ssh://git@github.com/acme/widget",
    ],
)
def test_every_way_to_write_a_repository_of_github_names_it(url: str) -> None:
    assert read_address(url) == Address("github.com", "acme", "widget")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "../origin.git",
        "/srv/git/widget.git",
        "file:///srv/git/acme/widget",
        "C:\\acme\\widget",
        "https://github.com/acme",
        "https://github.com/acme/widget/tree/main",
        "https://github.com/acme/..",
        "https://github.com:port/acme/widget",
        "https://[half/acme/widget",
        "git@github.com:acme/wid get",
        "git@github.com:acme/widget\n.git",
        "ext::sh -c whoami acme/widget",
    ],
)
def test_what_names_no_repository_is_none(url: str) -> None:
    assert read_address(url) is None


@pytest.mark.parametrize(
    "url, api, enterprise",
    [
        ("https://github.com/acme/widget", "https://api.github.com", False),
        ("git@acme.ghe.com:acme/widget.git", "https://api.acme.ghe.com", False),
        ("https://ghe.example.org:8443/acme/widget", "https://ghe.example.org:8443/api/v3", True),
        ("ssh://git@ghe.example.org:2222/acme/widget", "https://ghe.example.org/api/v3", True),
        ("https://notghe.com/acme/widget", "https://notghe.com/api/v3", True),
    ],
)
def test_the_api_is_where_that_kind_of_server_has_it(url: str, api: str, *, enterprise: bool) -> None:
    address = read_address(url)
    assert address is not None
    assert (address.api, address.enterprise_server) == (api, enterprise)
    assert address.web.endswith("/acme/widget")
