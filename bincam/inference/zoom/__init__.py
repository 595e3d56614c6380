"""Views of an image at several scales and places: their plan, where they lie, and their pixels."""
