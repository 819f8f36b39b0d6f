"""What a study asks for: its configuration, its jobs and their specs, its files."""
