"""What comes out of a study: tables and figures."""
