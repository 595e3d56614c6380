"""Colours and materials of faces, what is behind them, and light."""
