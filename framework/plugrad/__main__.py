"""`python -m plugrad`: the command line."""

from plugrad.cli import main

main()
