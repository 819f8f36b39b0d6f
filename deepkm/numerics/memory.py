"""How much a pass over the data holds at once: apart, so that what names it does not hang on the rest of `numerics`."""

CHUNK_NUMEL = 2**24  # numbers of one chunk: 64 MiB in float32
CACHE_NUMEL = 2**19  # numbers held at once on a CPU: small enough for its cache, and for memory that is used again
