"""Speed, measured: `python -m benchmarks.augment`."""
