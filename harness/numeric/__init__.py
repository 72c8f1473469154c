"""The workshop of agreement: trajectory, floor, comparison."""
