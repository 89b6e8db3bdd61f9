"""Ctrl-C and termination that Python would drop. What follows from them is decided by whoever catches the exception.

A signal becomes an exception wherever the program happens to be. Where that is a finalizer or a callback of a weak
reference, and every import has some, Python prints "Exception ignored" and goes on as if nobody had said to stop.
"""

from __future__ import annotations

import signal
import sys
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType

_MOMENT = 0.01  # seconds until it is raised again; it may come to another such place


def heed() -> None:
    """From now on Ctrl-C is an exception, and what a signal has raised and Python has dropped is raised again."""
    sys.unraisablehook = _dropped
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:  # as `__main__` has it until here
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _dropped(unraisable: sys.UnraisableHookArgs) -> None:
    error = unraisable.exc_value
    if not isinstance(error, KeyboardInterrupt | SystemExit):
        sys.__unraisablehook__(unraisable)
        return
    if threading.current_thread() is not threading.main_thread():
        return  # a signal is heard by the main thread: this is none

    def again(_number: int, _frame: FrameType | None) -> None:
        raise error

    signal.signal(signal.SIGALRM, again)
    signal.setitimer(signal.ITIMER_REAL, _MOMENT)
