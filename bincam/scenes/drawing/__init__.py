"""Drawing of scenes: shapes, their places and colours, textured grounds, and exact parts."""
