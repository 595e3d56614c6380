"""Words of the page: sentences, definitions and what could not be measured."""
