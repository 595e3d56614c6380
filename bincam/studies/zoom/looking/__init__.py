"""The pass of a zoom study: shards of views, in one process or in many."""
