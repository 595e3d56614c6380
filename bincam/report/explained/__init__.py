"""The work of ``bincam explain``: explanations of images, and what each option adds."""
