"""What is asked of an explainer: outputs, sides, inputs and what each output is held against."""
