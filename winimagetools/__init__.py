"""winimagetools makes Windows images for clouds, on Linux and on Windows.

The nine functions that the PowerShell modules export, under their Python names. They are
imported when they are asked for: ``python -m winimagetools.builder`` runs that module, which
must not have been imported by its package before, and a command line hears Ctrl-C only once
its own first lines have run.
"""

from importlib import import_module

TYPE_CHECKING = False
"""Known to type checkers; ``typing`` would take as long to import as all of this package that a
command line needs to become interruptible."""
if TYPE_CHECKING:
    from winimagetools.builder import (
        add_virtio_drivers_from_iso,
        get_wim_file_images_info,
        get_windows_image_config,
        new_windows_image_config,
    )
    from winimagetools.version import __version__
    from winimagetools.workflows.build import (
        new_windows_cloud_image,
        new_windows_from_golden_image,
        new_windows_online_image,
        resize_vhd_image,
    )
    from winimagetools.workflows.check import test_offline_windows_image

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


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    room = "winimagetools.version" if name == "__version__" else "winimagetools.builder"
    return getattr(import_module(room), name)
