"""Content of the page's sections for the template, one module per section."""
