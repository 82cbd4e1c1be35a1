"""The algorithms, one file each. They do not know each other; the registry knows them all."""
