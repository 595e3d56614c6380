"""The version of bincam."""

__version__ = "0.1.0"
