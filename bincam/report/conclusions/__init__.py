"""Conclusions of a report: the verdict in plain words, what to do per attribute, and what may not be relied on."""
