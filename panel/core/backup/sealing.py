"""The panel's secrets in a backup: sealed with a passphrase (scrypt, AES-256-GCM), and put back as files."""

import base64
import hashlib
import json
import os
import shutil
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from django.conf import settings

from panel.core.backup.errors import BackupError

LEAST = 12  # characters of a passphrase
_PURPOSE = b"innkeeper backup 1"
FILES = {  # of a secret: its variable, and its file in STATE/secrets
    "DJANGO_SECRET_KEY": "django_key",
    "TOKEN_PEPPER": "token_pepper",
    "KEY_ENCRYPTION_KEY": "key_encryption_key",
}


def present() -> dict[str, str]:
    """Return the secrets that this process works with, by variable."""
    values = (settings.SECRET_KEY, settings.TOKEN_PEPPER, settings.KEY_ENCRYPTION_KEY)
    return dict(zip(FILES, values, strict=True))


def fingerprints(secrets: dict[str, str]) -> dict[str, str]:
    """Return what tells whether two secrets are the same and nothing else; they are too long to be guessed by it."""
    return {
        name: hashlib.sha256(f"{_PURPOSE!r} {name} {value}".encode()).hexdigest() for name, value in secrets.items()
    }


def seal(secrets: dict[str, str], passphrase: str) -> bytes:
    """Return the secrets sealed with a passphrase."""
    salt, nonce = os.urandom(16), os.urandom(12)
    sealed = AESGCM(_key(passphrase, salt)).encrypt(nonce, json.dumps(secrets).encode(), _PURPOSE)
    parts = {"salt": salt, "nonce": nonce, "sealed": sealed}
    return json.dumps({name: base64.b64encode(part).decode() for name, part in parts.items()}).encode()


def unseal(content: bytes, passphrase: str) -> dict[str, str]:
    """Return sealed secrets. Raises BackupError when it is another passphrase."""
    parts = {name: base64.b64decode(part) for name, part in json.loads(content).items()}
    try:
        plain = AESGCM(_key(passphrase, parts["salt"])).decrypt(parts["nonce"], parts["sealed"], _PURPOSE)
    except InvalidTag as error:
        raise BackupError("This is not the passphrase that the backup was made with. Nothing was changed.") from error
    found = json.loads(plain)
    return {name: str(found[name]) for name in FILES}


def _key(passphrase: str, salt: bytes) -> bytes:
    return Scrypt(salt=salt, length=32, n=2**15, r=8, p=1).derive(passphrase.encode())


class SecretFiles:
    """Secrets on their way into a folder: prepared beside those that are there, and put in their place at the end."""

    def __init__(self, folder: Path, secrets: dict[str, str]) -> None:
        """Write them; raises OSError, with nothing left behind."""
        self._pairs = [(folder / f"{file}.restored", folder / file) for file in FILES.values()]
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        owner = folder.stat()
        try:
            for (partial, _), name in zip(self._pairs, FILES, strict=True):
                partial.unlink(missing_ok=True)
                with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                    file.write(f"{secrets[name]}\n")
                    file.flush()
                    os.fsync(file.fileno())
                if os.geteuid() == 0:
                    shutil.chown(partial, owner.st_uid, owner.st_gid)
        except BaseException:
            self.discard()
            raise

    def settle(self) -> None:
        """Put them in their place."""
        for partial, target in self._pairs:
            partial.replace(target)

    def discard(self) -> None:
        """Take them away again."""
        for partial, _ in self._pairs:
            partial.unlink(missing_ok=True)
