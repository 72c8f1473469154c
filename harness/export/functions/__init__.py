"""Text that is copied into scripts, one file a framework: linted like code, read like data, never imported."""
