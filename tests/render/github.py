"""What GitHub makes of Markdown: its own renderer, and what its filters look for in the HTML that came out."""

from __future__ import annotations

import re
from collections import Counter
from html.parser import HTMLParser

import cmarkgfm  # type: ignore[import-untyped]
from cmarkgfm.cmark import Options  # type: ignore[import-untyped]
from hypothesis import strategies as st

# A comment on GitHub breaks lines where its source does. HTML is left as it is: nothing of it may depend on what the
# sanitiser takes out later.
_LIKE_A_COMMENT = Options.CMARK_OPT_UNSAFE | Options.CMARK_OPT_HARDBREAKS | Options.CMARK_OPT_FOOTNOTES
_LOOKED_FOR = {
    "a mention": r"(?:^|[^\w])@[a-z0-9]",
    "a reference": r"(?:^|[^\w])#\d|[\w/-]#\d|\b(?:gh|cve|ghsa)-\w",
    "a commit": r"(?<![0-9a-z])[0-9a-f]{7,64}(?![0-9a-z])",
    "an emoji code": r":[\w+-]+:",
    "a formula": r"\$.|.\$",
    "an address": r"\w://|\bwww\.\w|[\w.+-]@\w",
}
_INERT = {"code", "pre"}
_VOID = {"br", "wbr", "img", "hr", "input"}

HOSTILE = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "![beacon](https://evil.example/?k=1)",
    "[click](https://evil.example)",
    "[x]: https://evil.example",
    "[x]",
    "<https://evil.example>",
    "https://evil.example/a_b",
    "www.evil.example",
    "mail@evil.example",
    "@everyone",
    "@octo/team",
    "#12",
    "octo/health#12",
    "GH-12",
    "CVE-2024-12345",
    "GHSA-jfh8-c2jp-5v3q",
    "9f8e7d6",
    "9f8e7d6" * 5 + "aaaaa",
    ":shipit:",
    "$x^2$",
    "$$",
    "::set-output name=x::y",
    "##[error]x",
    "/lgtm",
    "-->",
    "<!--",
    "<!-- git-cto:pull -->",
    "</details>",
    "</td></tr></table>",
    "&lt;b&gt;",
    "&#64;all",
    "```",
    "````suggestion",
    "~~~",
    "`",
    "``",
    "|",
    "\\",
    "\\|",
    "|---|",
    ":-",
    "---",
    "===",
    "***",
    "# ",
    "> ",
    "- [ ] ",
    "+ ",
    "1. ",
    "[^1]",
    "[^1]: x",
    "~~x~~",
    "\n",
    "\n\n",
    "\r\n",
    "    ",
    "\t",
    " ",
    "\x1b[31m",
    "\u202e",
    "\u200b",
    "\u2028",
    "\ue000",
    "\U000e0041",
    "日本語",
    "a",
    "_",
    "*",
    "!",
    "<",
    ">",
    "{0}",
    "{{",
    "%%{init: {}}%%",
)
hostile = st.lists(st.sampled_from(HOSTILE) | st.text(max_size=4), max_size=8).map("".join)


def rendered(markdown: str) -> str:
    """The HTML of a comment, before anything is taken out of it."""
    html: str = cmarkgfm.github_flavored_markdown_to_html(markdown, _LIKE_A_COMMENT)
    return html


class Page(HTMLParser):
    """What is in a piece of HTML: elements, attributes, comments, texts, and what filters would find in these."""

    def __init__(self, markdown: str) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.links: list[str] = []
        self.comments: list[str] = []
        self.attributes: set[tuple[str, str]] = set()
        self.texts: list[str] = []
        self.found: list[tuple[str, str]] = []
        self.blocks: list[tuple[str, str]] = []  # (language, what it says)
        self._open: list[str] = []
        self.feed(rendered(markdown))
        self.close()
        assert not self._open, f"left open: {self._open}"

    @property
    def text(self) -> str:
        """All that can be read."""
        return "".join(self.texts)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes |= {(tag, name) for name, _ in attrs}
        said = dict(attrs)
        if tag == "a":
            self.links.append(said.get("href") or "")
        if tag == "pre":
            self.blocks.append((said.get("lang") or "", ""))
        if tag not in _VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in _VOID:
            assert self._open, f"</{tag}> closes nothing"
            assert self._open.pop() == tag

    def handle_comment(self, data: str) -> None:
        self.comments.append(data.strip())

    def handle_data(self, data: str) -> None:
        self.texts.append(data)
        if "pre" in self._open:
            self.blocks[-1] = (self.blocks[-1][0], self.blocks[-1][1] + data)
        if not _INERT & set(self._open):
            self.found += [(what, data) for what, how in _LOOKED_FOR.items() if re.search(how, data, re.IGNORECASE)]
