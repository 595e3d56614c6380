"""The steps of training: batches, their order over processes, and the update of the weights."""
