"""Ratios to the peers, measured in one run: see docs/speed.md."""
