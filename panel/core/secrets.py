"""How a token's secret is kept: as an HMAC under a pepper that is not in the database."""

import hashlib
import hmac

from django.conf import settings

PREFIX_LENGTH, SECRET_LENGTH = 16, 48


def secret_hmac(secret: str) -> str:
    """Return what is stored of a token's secret."""
    return hmac.new(settings.TOKEN_PEPPER.encode(), secret.encode(), hashlib.sha256).hexdigest()
