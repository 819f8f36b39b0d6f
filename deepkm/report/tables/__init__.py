"""Tables as people read them, and their numbers."""
