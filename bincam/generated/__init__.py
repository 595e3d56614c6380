"""What all generated data sets share: random streams, encoding of files, worker processes, records and cards."""
