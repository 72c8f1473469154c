"""What a notebook shows of a run: its verdict, its summary, and how far each arm is from the reference. No script, no file."""
