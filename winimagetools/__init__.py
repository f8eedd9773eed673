"""winimagetools makes Windows images for clouds, on Linux and on Windows.

The nine functions that the PowerShell modules export, under their Python names.
"""

from winimagetools.builder import (
    add_virtio_drivers_from_iso,
    get_wim_file_images_info,
    get_windows_image_config,
    new_windows_cloud_image,
    new_windows_from_golden_image,
    new_windows_image_config,
    new_windows_online_image,
    resize_vhd_image,
    test_offline_windows_image,
)
from winimagetools.version import __version__

__all__ = [
    "__version__",
    "add_virtio_drivers_from_iso",
    "get_wim_file_images_info",
    "get_windows_image_config",
    "new_windows_cloud_image",
    "new_windows_from_golden_image",
    "new_windows_image_config",
    "new_windows_online_image",
    "resize_vhd_image",
    "test_offline_windows_image",
]
