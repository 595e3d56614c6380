"""Faithfulness: agreement between evidence and the model's response to changed pixels."""
