"""Sets of generated scenes on disk: tables, part masks, boxes and a card."""
