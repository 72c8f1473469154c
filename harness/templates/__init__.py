"""Files that `harness new` copies. They are code like any other: linted, typed, and tried by the tests."""
