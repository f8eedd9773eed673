"""winimagetools makes Windows images for clouds, on Linux and on Windows.

The functions of the PowerShell tools, in Python names.
"""

from winimagetools.builder import (
    add_virtio_drivers_from_iso,
    get_wim_file_images_info,
    get_windows_image_config,
    new_windows_cloud_image,
    new_windows_image_config,
)
from winimagetools.version import __version__

__all__ = [
    "__version__",
    "add_virtio_drivers_from_iso",
    "get_wim_file_images_info",
    "get_windows_image_config",
    "new_windows_cloud_image",
    "new_windows_image_config",
]
