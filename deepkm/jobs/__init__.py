"""What the stages share: devices, interruption, resuming, finishing, sharing, provenance."""
