"""The section on label sets: which answers does the score leave open?"""
