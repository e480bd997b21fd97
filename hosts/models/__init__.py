"""Tables of what we own."""

from hosts.models.hosts import Host, HostConnection
from hosts.models.images import HostImage, Image, ImageFile
from hosts.models.networks import IPAddress, Network
from hosts.models.storage import StoragePool, Volume
from hosts.models.watches import HostWatch, LiveCollector

__all__ = [
    "Host",
    "HostConnection",
    "HostImage",
    "HostWatch",
    "IPAddress",
    "Image",
    "ImageFile",
    "LiveCollector",
    "Network",
    "StoragePool",
    "Volume",
]
