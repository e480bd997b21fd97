"""Which public keys a new server gets."""

import uuid
from collections.abc import Sequence

from django.db.models import Q

from panel.core.errors import InvalidInputError
from panel.core.models import Customer, SshKey
from panel.core.people.ssh_public_key import public_key_parse


def keys_resolve(*, customer: Customer, items: Sequence[str]) -> tuple[str, ...]:
    """Return public keys for ``items``: each a key's id, its name, or the public key itself.

    Raises:
        InvalidInputError: naming ``ssh_keys`` and the item that is none of these.
    """
    found: list[str] = []
    for item in items:
        line = _stored(customer, item) or public_key_parse(item, field="ssh_keys").line
        if line not in found:
            found.append(line)
    return tuple(found)


def _stored(customer: Customer, item: str) -> str | None:
    try:
        which = Q(pk=uuid.UUID(item))
    except ValueError:
        which = Q(name=item)
    key = SshKey.objects.filter(which, customer=customer).first()
    if key is not None:
        return key.public_key
    if " " not in item:
        raise InvalidInputError(fields={"ssh_keys": f"There is no key {item[:80]!r}."})
    return None
