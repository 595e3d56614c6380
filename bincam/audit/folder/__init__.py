"""An audit's folder: manifest, schema, reader and writer."""
