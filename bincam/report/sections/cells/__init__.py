"""Section of the page about prediction grids: what single cells say, on an object and elsewhere."""
