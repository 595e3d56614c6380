"""Model cards in Markdown, with the metadata that Hugging Face's hub reads."""
