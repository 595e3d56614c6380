"""The section on boxes: does the map mark the object?"""
