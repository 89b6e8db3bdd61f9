"""Nothing of the comment sticks out, on a phone or on a desk. Runs where there is a Chromium; see `pictures`."""

from __future__ import annotations

import pytest

from tests.render.pictures import CHROMIUM, WIDTHS, measured, texts

pytestmark = pytest.mark.skipif(not CHROMIUM, reason="there is no Chromium to look with")
TOO_WIDE = "| a | b |\n|---|---|\n| `" + "x" * 200 + "` | b |\n"


def test_nothing_sticks_out_in_any_state_and_width_whatever_is_said() -> None:
    shown = texts()
    told = measured(shown)
    assert set(told) == {f"{name} {width}" for name in shown for width in WIDTHS}
    assert {name: one["out"] for name, one in told.items() if one["wide"] or one["out"]} == {}


def test_what_sticks_out_would_be_seen() -> None:
    told = measured({"a table": TOO_WIDE, "a text": "short"})
    assert "table" in told["a table 375"]["out"]  # type: ignore[operator]
    assert (told["a text 375"]["out"], told["a text 1012"]["out"]) == ([], [])
