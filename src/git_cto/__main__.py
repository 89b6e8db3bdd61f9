"""The same as the console script, for `python -m git_cto`."""

from git_cto.cli import main

main()
