"""Measurements, never tests: how long a derivation takes, and emitted code beside code written by hand."""
