"""The summary of audits of very many images: scans over the shards, sums by person, memory that does not grow."""
