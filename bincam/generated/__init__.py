"""What all generated data sets share: random streams, encoding of files, worker processes and the card's checks."""
