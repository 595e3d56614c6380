"""What ``bincam explain`` is asked for, and of which files."""
