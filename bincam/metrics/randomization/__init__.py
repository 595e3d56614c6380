"""Model-parameter randomisation: do a method's maps depend on the image, and on what the model has learned?"""
