"""Many images from one file: cells, stages, where they are kept, and what is told of them."""
