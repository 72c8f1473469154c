"""The training loops that an expert of each framework writes by hand: the yardstick that our adapters are measured against.

Nothing here imports `harness` or `backends`; the nets are built from `nets.py` alone, so that a mistake there cannot hide here.
"""
