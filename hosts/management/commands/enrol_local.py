"""``manage.py enrol_local``: take the machine itself in as a host, with its guest network."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from hosts.models import Host, Network
from hosts.services.enrolment import host_enrol
from hosts.services.networks import network_create
from panel.core.actors import SYSTEM
from panel.core.errors import PanelError


class Command(BaseCommand):
    """Idempotent: a known host's connections are brought up to date, and a job looks at it again."""

    help = "Enrol this machine (or a simulated one) as a host."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--name", required=True)
        parser.add_argument("--driver", default="libvirt", choices=["libvirt", "simulated"])
        parser.add_argument("--kvm-uri", default="")
        parser.add_argument("--lxc-uri", default="")
        parser.add_argument("--pool-path", required=True)
        parser.add_argument("--address", default="", help="how customers reach the host, for ssh -J")
        parser.add_argument("--network-name", default="local")
        parser.add_argument("--bridge", required=True)
        parser.add_argument("--cidr-v4", default="")
        parser.add_argument("--gateway-v4", default="")
        parser.add_argument("--cidr-v6", default="")
        parser.add_argument("--gateway-v6", default="")
        parser.add_argument("--dns", action="append", default=[])

    @transaction.atomic
    def handle(self, *args: Any, **options: Any) -> None:
        uris = {kind: options[f"{kind}_uri"] for kind in ("kvm", "lxc") if options[f"{kind}_uri"]}
        try:
            host, job = host_enrol(
                actor=SYSTEM,
                name=options["name"],
                uris=uris,
                driver=options["driver"],
                pool_path=options["pool_path"],
                address=options["address"],
            )
            self._network(host, options)
        except PanelError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{host.name}: {'job ' + str(job.pk) if job else 'being looked at already'}")

    def _network(self, host: Host, options: dict[str, Any]) -> None:
        network = Network.objects.filter(name=options["network_name"]).first()
        if network is None:
            network_create(
                actor=SYSTEM,
                name=options["network_name"],
                kind="nat",
                bridge=options["bridge"],
                cidr_v4=options["cidr_v4"],
                gateway_v4=options["gateway_v4"] or None,
                cidr_v6=options["cidr_v6"],
                gateway_v6=options["gateway_v6"] or None,
                dns_servers=options["dns"],
                hosts=[host],
            )
        else:
            network.hosts.add(host)
