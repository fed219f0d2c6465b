"""`python -m roost` is `roost`."""

from roost.apps.cli import main

main()
