"""Ctrl-C and termination that Python would drop or disguise. What follows from them is up to whoever catches them.

A signal becomes an exception wherever the program happens to be. Where that is a finalizer or a callback of a weak
reference, and every import has some, Python prints "Exception ignored" and goes on as if nobody had said to stop. Where
that is a class in the making, Python 3.11 makes an error of it.
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


def undisguised(error: BaseException) -> BaseException:
    """What a signal has raised, where that became the cause of another error; else the error itself."""
    cause = error.__cause__
    return cause if isinstance(error, RuntimeError) and isinstance(cause, KeyboardInterrupt | SystemExit) else error


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
