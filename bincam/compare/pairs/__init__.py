"""What two audits have of the same images, attribute by attribute."""
