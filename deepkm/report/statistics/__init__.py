"""Which methods differ."""
