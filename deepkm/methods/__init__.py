"""The clustering methods: one file each, holding the method's equations and nothing else."""
