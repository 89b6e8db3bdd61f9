"""The program: `git-cto`, and `python -m git_cto`."""

import gc
import os
import signal
import sys

# `python -m` looks for modules in the working directory first, and that is a tree whose change is to be judged.
if __name__ == "__main__":
    try:
        if os.path.samefile(sys.path[0] or ".", "."):
            del sys.path[0]
    except OSError:  # a zip file that is not there, or a working directory that was deleted
        pass

# What is loaded at the start stays until the end. By default Python looks for garbage among it dozens of times, which
# takes half as long as bare Python does altogether; it still looks, where a command makes a lot of objects.
gc.set_threshold(100_000)

# While nothing has begun, Ctrl-C ends us as it ends any program. Python would show where, or drop it in an import.
if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)

from git_cto.cli import main  # noqa: E402

if __name__ == "__main__":
    main()
