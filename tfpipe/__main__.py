"""`python -m tfpipe`: the command line, even if the console script is not on the PATH."""

from tfpipe.cli import main

if __name__ == "__main__":
    main()
