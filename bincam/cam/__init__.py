"""Evidence maps: targets, methods, the engine, the ledger, the bridge to grad-cam."""
