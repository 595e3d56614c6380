"""Judgements as files: Markdown, JUnit XML and SARIF."""
