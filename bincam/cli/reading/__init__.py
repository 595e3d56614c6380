"""Options that commands share, and what is opened by them."""
