"""Patches of verl that no seam of it allows: one file each, with the line of the version that it answers."""
