"""One home for each framework: the adapters. Nothing here is imported by statement from `harness`."""
