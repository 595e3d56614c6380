"""Parts of an audit's folder besides its records: boxes, cells and scores of sets."""
