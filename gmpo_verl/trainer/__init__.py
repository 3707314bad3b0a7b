"""A training run: its driver process, preflight checks, trainer and run directory."""
