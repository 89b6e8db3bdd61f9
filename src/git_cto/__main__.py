"""`python -m git_cto`"""

from git_cto.cli import main

main()
