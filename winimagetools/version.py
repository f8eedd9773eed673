"""The version of this project, from the metadata of the installed package."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("winimagetools")
except PackageNotFoundError:  # run from a checkout that is not installed
    __version__ = "0+unknown"
