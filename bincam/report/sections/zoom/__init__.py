"""The section on the zoom study: would another framing have seen it?"""
