"""Planted faults: what the harness has to catch, locate and explain. Committed before anything was tuned to them."""
