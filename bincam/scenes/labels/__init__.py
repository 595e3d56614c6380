"""What scenes show and what their labels say: subsets of shapes, rules, and shortcuts."""
