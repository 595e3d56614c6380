"""Reading of audits and contrasts for figures and reports."""
