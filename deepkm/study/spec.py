"""What a job is to do, as one canonical JSON text: Snakemake reruns a job exactly when its text changes."""

import hashlib
import json


def dumps(spec: dict) -> str:
    """Return the canonical text of a spec."""
    return json.dumps(spec, sort_keys=True, separators=(",", ":"))


def digest(spec: dict) -> str:
    """Return a short digest of a spec, for file names."""
    return hashlib.sha256(dumps(spec).encode()).hexdigest()[:16]
