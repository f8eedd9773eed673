"""Writing the Windows volume: the image with all that was staged, by one of two engines.

:mod:`~winimagetools.host.linux.apply.engine` is the parallel one: libntfs-3g lays out, several
processes unpack and write, straight into the disk.
:mod:`~winimagetools.host.linux.apply.with_libwim` leaves all of it to libwim, which does
everything, one thing after the other, into a file that only holds the volume.
"""
