"""The child: one arm in its own process. Runs on Python 3.9, numpy 1.23 and the standard library."""
