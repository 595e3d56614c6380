"""Pictures of single images: evidence, cells, boxes and sheets."""
