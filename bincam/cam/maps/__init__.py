"""Evidence maps: native methods, pytorch-grad-cam's, and the gradients that they need."""
