"""The study of sets: which answers the scores of an audit leave open, and for whom the true one is among them."""
