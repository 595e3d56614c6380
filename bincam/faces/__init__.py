"""Generated faces: 40 controllable attributes with exact ground-truth masks."""
