"""``manage.py starter_images``: order the images every installation starts with."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from hosts.imagebuild.recipes import recipe_key
from hosts.services.images import STARTERS, image_build
from panel.core.actors import SYSTEM


class Command(BaseCommand):
    """Submits a job for each image that is not ready from its present recipe."""

    help = "Build the starter images that are missing, as jobs."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("slugs", nargs="*", choices=[*STARTERS, []], help="only these; all by default")

    def handle(self, *args: Any, **options: Any) -> None:
        for slug in options["slugs"] or STARTERS:
            image, job = image_build(actor=SYSTEM, slug=slug, recipe_key=recipe_key(slug))
            self.stdout.write(f"{slug}: {'job ' + str(job.pk) if job else image.state}")
