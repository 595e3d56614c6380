"""Counterfactual truth: of a known change of the logit, how much do the changes of maps hold, and where?"""
