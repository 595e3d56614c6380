"""The pass over the images: from a plan to the records, maps and sums of an audit."""
