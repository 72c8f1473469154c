"""What a run leaves on disk, and where and with what it was made."""
