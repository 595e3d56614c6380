"""The page: template, styles, and printing to PDF."""
