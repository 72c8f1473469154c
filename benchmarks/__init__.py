"""Measurements: ratios within one run, never assertions. Each module says how it is called."""
