"""A strict check of an NTFS volume that only reads.

:func:`~winimagetools.checks.ntfs.volume.check_volume` reads all metadata of a volume and names
everything that contradicts something else. Facts are those of "NTFS Documentation" (R. Russon,
Y. Fledel), of ``layout.h`` of ntfs-3g, and of [MS-FSCC] for names and reparse points.
"""
