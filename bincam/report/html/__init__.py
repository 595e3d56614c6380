"""The HTML page: template, style sheet, script, and printing to PDF."""
