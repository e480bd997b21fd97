"""Networks and addresses."""

from django.db import models
from django.db.models import F, Q

from hosts.models.hosts import Host
from panel.core.models.base import Record, VersionedRecord


class Network(VersionedRecord):
    """A subnet that guests get addresses from, and the bridge it is reached by on its hosts."""

    name = models.CharField(max_length=63, unique=True)
    kind = models.CharField(
        max_length=8, choices=[("nat", "NAT"), ("routed", "Routed"), ("bridge", "Bridge")], default="nat"
    )
    bridge = models.CharField(max_length=15)
    cidr_v4 = models.CharField(max_length=18, blank=True)
    gateway_v4 = models.GenericIPAddressField(protocol="IPv4", null=True, blank=True)
    cidr_v6 = models.CharField(max_length=43, blank=True)
    gateway_v6 = models.GenericIPAddressField(protocol="IPv6", null=True, blank=True)
    dns_servers = models.JSONField(default=list, blank=True)
    reserved = models.JSONField(default=list, blank=True)  # addresses never handed out
    mtu = models.PositiveSmallIntegerField(default=1500)
    enabled = models.BooleanField(default=True)
    hosts = models.ManyToManyField(Host, related_name="networks")

    class Meta:
        indexes = [models.Index(F("created_at").desc(), F("id").desc(), name="hosts_network_newest")]

    def __str__(self) -> str:
        return self.name


class IPAddress(Record):
    """An address of a network. IPv4: a row each, free while ``owner_id`` is null. IPv6: a row once taken or seen."""

    network = models.ForeignKey(Network, on_delete=models.CASCADE, related_name="addresses")
    address = models.GenericIPAddressField()
    family = models.PositiveSmallIntegerField(choices=[(4, "IPv4"), (6, "IPv6")])
    order = models.BigIntegerField(default=0)  # position in the subnet, lowest first
    owner_id = models.UUIDField(null=True)  # the guest
    nic_id = models.UUIDField(null=True)
    taken_at = models.DateTimeField(null=True)
    seen_used_at = models.DateTimeField(null=True)  # when a host's domain was last seen to use it that does not own it

    class Meta:
        constraints = [models.UniqueConstraint(fields=["network", "address"], name="hosts_address_once")]
        indexes = [
            models.Index(
                fields=["network", "order"], condition=Q(owner_id__isnull=True, family=4), name="hosts_address_free"
            ),
            models.Index(
                fields=["seen_used_at"], condition=Q(owner_id__isnull=True, family=6), name="hosts_address_seen_v6"
            ),
            models.Index(fields=["owner_id"], name="hosts_address_owner"),
            models.Index(fields=["address"], name="hosts_address_value"),
            models.Index(F("created_at").desc(), F("id").desc(), name="hosts_address_newest"),
        ]

    def __str__(self) -> str:
        return self.address
