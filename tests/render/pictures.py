"""The comment as a browser shows it: every state in GitHub's width on a phone and on a desk, measured and as pictures.

`python -m tests.render.pictures FOLDER` writes a picture of each state (`make comments`). Needs Chromium, which is
looked for and never installed.
"""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from git_cto.render.check import job_summary
from git_cto.render.comment import body
from git_cto.render.finding import inline_body
from tests.render.github import HOSTILE, rendered
from tests.render.pulls import GUARDED, PULLS, worst

WIDTHS = (375, 1012)
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
_SEALED = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--host-resolver-rules=MAP * ~NOTFOUND",
)
# How GitHub lays a comment out, as far as widths and breaks go.
_STYLE = """
body { margin: 0; background: #fff; color: #1f2328; display: flex; align-items: flex-start;
  font: 14px/1.5 -apple-system, "Segoe UI", "Noto Sans", Helvetica, "DejaVu Sans", Arial, sans-serif; }
main { box-sizing: border-box; flex: none; padding: 16px; }
article { border: 1px solid #d1d9e0; border-radius: 6px; padding: 16px; overflow-wrap: break-word; }
article > :first-child { margin-top: 0; } article > :last-child { margin-bottom: 0; }
h3 { font-size: 1.25em; line-height: 1.25; margin: 24px 0 16px; }
h4 { font-size: 1em; margin: 24px 0 16px; }
p, ul, table, pre, details { margin: 0 0 16px; }
ul { padding-left: 2em; }
table { display: block; width: max-content; max-width: 100%; overflow: auto; border-collapse: collapse; }
th, td { padding: 6px 13px; border: 1px solid #d1d9e0; }
th { font-weight: 600; }
code { padding: .2em .4em; font: 85% "DejaVu Sans Mono", monospace; white-space: break-spaces;
  background: #818b981f; border-radius: 6px; }
pre { padding: 16px; overflow: auto; line-height: 1.45; background: #f6f8fa; border-radius: 6px; }
pre > code { padding: 0; background: none; white-space: pre; }
a { color: #0969da; } strong { font-weight: 600; }
"""
# What sticks out: the page itself, a box of its own, or a table that has to be scrolled sideways.
_MEASURE = """
const told = {};
for (const main of document.querySelectorAll("main")) {
  const out = [...main.querySelectorAll("*")].filter(one => one.scrollWidth > one.clientWidth && one.clientWidth > 0
    && getComputedStyle(one).display != "inline" && one.tagName != "PRE");
  const edge = main.getBoundingClientRect().right;
  const beyond = [...main.querySelectorAll("*")].filter(
    one => !one.closest("pre") && one.getBoundingClientRect().right > edge + 0.5);
  told[main.id] = { wide: main.scrollWidth > main.clientWidth, out: [...new Set([...out, ...beyond])].map(
    one => one.tagName.toLowerCase()), height: Math.ceil(main.getBoundingClientRect().height) };
}
document.title = JSON.stringify(told);
"""


def texts() -> dict[str, str]:
    """All that is looked at, by name."""
    shown = {name: body(pull) for name, pull in PULLS.items()}
    shown["what a job says"] = job_summary(PULLS["overruled"])
    shown["a finding on its lines"] = inline_body(GUARDED, committable=True)
    shown["hostile words"] = body(worst(" ".join(HOSTILE)))
    shown["long words"] = body(worst("a_very_long_name/" * 6 + "x" * 90))
    shown["wide words"] = body(worst("この変更は認証を必要とするため、監視から到達できません。" * 3))
    return shown


def page(shown: dict[str, str]) -> str:
    """One page with every text in every width, unfolded, and a title that says what sticks out."""
    mains = []
    for name, markdown in shown.items():
        unfolded = rendered(markdown).replace("<details>", "<details open>")
        mains += [
            f'<main id="{html.escape(f"{name} {width}")}" style="width: {width}px"><article>{unfolded}</article></main>'
            for width in WIDTHS
        ]
    return (
        f'<!doctype html><meta charset="utf-8"><style>{_STYLE}</style><body>{"".join(mains)}'
        f"<script>{_MEASURE}</script></body>"
    )


def measured(shown: dict[str, str]) -> dict[str, dict[str, object]]:
    """What sticks out of each text at each width, by `<name> <width>`."""
    with tempfile.TemporaryDirectory() as folder:
        dom = _chromium(page(shown), Path(folder), "--dump-dom")
    title = re.search(r"<title>(.*?)</title>", dom, re.DOTALL)
    assert title, "the page has not measured itself"
    told: dict[str, dict[str, object]] = json.loads(html.unescape(title[1]))
    return told


def _chromium(page_text: str, folder: Path, *options: str) -> str:
    assert CHROMIUM, "there is no Chromium"
    source = folder / "page.html"
    source.write_text(page_text, encoding="utf-8")
    with tempfile.TemporaryDirectory() as profile:
        argv = [CHROMIUM, *_SEALED, f"--user-data-dir={profile}", *options, source.as_uri()]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=True)
    return done.stdout


def main(folder: Path) -> None:
    """Writes a picture of each text, both widths side by side, and says what sticks out."""
    folder.mkdir(parents=True, exist_ok=True)
    shown = texts()
    told = measured(shown)
    for name, markdown in shown.items():
        height = max(int(str(told[f"{name} {width}"]["height"])) for width in WIDTHS)
        picture = folder / f"{name.replace(' ', '-')}.png"
        with tempfile.TemporaryDirectory() as scratch:
            size = f"--window-size={sum(WIDTHS)},{height + 8}"
            _chromium(page({name: markdown}), Path(scratch), size, f"--screenshot={picture}")
        wrong = {width: told[f"{name} {width}"]["out"] for width in WIDTHS if told[f"{name} {width}"]["out"]}
        print(f"{picture}{f'  sticks out: {wrong}' if wrong else ''}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "build/comments"))
