"""Loops that an expert writes by hand in the ten further frameworks, and our adapters beside them.

A `*_loop.py` imports its framework, numpy and `benchmarks.expert.nets`, and nothing of ours; some run on Python 3.9.
"""
