"""The workshop of cost: interleaved rounds of fresh workers."""
