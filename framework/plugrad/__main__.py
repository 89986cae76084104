"""`python -m plugrad`: the command line."""

from plugrad.cli import main

if __name__ == "__main__":
    main()
