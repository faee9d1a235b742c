"""`python -m benchmarks.augment`: the comparison with the classic's augmentation, alone."""

import sys

from benchmarks.__main__ import main

if __name__ == "__main__":
    main(["--settings", "augmented", *sys.argv[1:]])
