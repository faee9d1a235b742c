"""Speed, measured: `python -m benchmarks`, or `python -m benchmarks --quick` in about a minute."""
