"""How much a pass over the data holds at once: apart, so that what names it does not hang on the rest of `numerics`."""

CHUNK_NUMEL = 2**24  # numbers of one chunk: 64 MiB in float32
