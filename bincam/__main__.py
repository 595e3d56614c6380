"""``python -m bincam``."""

from bincam.cli import main

main()
