"""The configuration of a training run: sections, choices and their reference."""
