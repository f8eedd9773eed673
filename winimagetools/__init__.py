"""winimagetools makes Windows images for clouds, on Linux and on Windows."""
