"""Studies of an audit: questions that take more than its one pass, answered beside it in ``AUDIT/studies/NAME/``."""
