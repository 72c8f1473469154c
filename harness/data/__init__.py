"""Data sets, and everything random as data: weights, order, masks. Only the parent loads and draws."""
