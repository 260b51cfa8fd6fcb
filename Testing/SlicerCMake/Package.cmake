# Slicer makes the package here; nothing is needed for an installation.
