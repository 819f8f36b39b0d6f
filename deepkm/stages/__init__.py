"""One file per rule of the workflow: the only modules that know file names."""
