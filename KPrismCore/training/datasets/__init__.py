"""Image sets in any layout: recognised, read, cut into slices, kept for training and evaluation."""
