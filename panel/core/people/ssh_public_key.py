"""OpenSSH public keys: what is accepted, and the fingerprint people compare."""

import base64
import binascii
import hashlib
import re
import struct
from dataclasses import dataclass

from panel.core.errors import InvalidInputError

MAX_LENGTH = 8192
MAX_COMMENT = 200
MIN_RSA_BITS = 2048
_ED25519_BYTES = 32
_CURVES = {
    "ecdsa-sha2-nistp256": ("nistp256", 32),
    "ecdsa-sha2-nistp384": ("nistp384", 48),
    "ecdsa-sha2-nistp521": ("nistp521", 66),
    "sk-ecdsa-sha2-nistp256@openssh.com": ("nistp256", 32),
}
_ED25519 = ("ssh-ed25519", "sk-ssh-ed25519@openssh.com")
TYPES = (*_ED25519, "ssh-rsa", *_CURVES)
_PRIVATE = re.compile(r"PRIVATE KEY|PuTTY-User-Key-File|openssh-key-v1")


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A checked key. ``line`` is what goes into authorized_keys, ``fingerprint`` as ``ssh-keygen -l`` prints it."""

    type: str
    blob: str
    comment: str
    fingerprint: str

    @property
    def line(self) -> str:
        """The key on one line, spaces normalised."""
        return " ".join(part for part in (self.type, self.blob, self.comment) if part)


def public_key_parse(text: str, *, field: str = "public_key") -> PublicKey:
    """Return the key in ``text``: one line of type, base64 and an optional comment (RFC 4253 §6.6).

    Raises:
        InvalidInputError: naming ``field``, with one sentence on what is wrong.
    """
    reason, key = _parse(text.strip())
    if key is None:
        raise InvalidInputError(fields={field: reason})
    return key


def _parse(text: str) -> tuple[str, PublicKey | None]:
    if _PRIVATE.search(text):
        return "This is a private key. Keep it to yourself, and paste the public key (the file ending in .pub).", None
    if not text:
        return "Paste a public key, such as the content of id_ed25519.pub.", None
    if len(text) > MAX_LENGTH:
        return f"A public key has at most {MAX_LENGTH} characters.", None
    if len(text.splitlines()) > 1:
        return "A public key is one line. Add further keys one by one.", None
    kind, _, rest = text.partition(" ")
    if kind == "ssh-dss":
        return "DSA keys are not accepted by SSH servers any more. Use an Ed25519 key.", None
    if kind not in TYPES:
        return f"A public key begins with its type, one of: {', '.join(TYPES)}.", None
    blob, _, comment = rest.strip().partition(" ")
    comment = comment.strip()
    if len(comment) > MAX_COMMENT or not comment.isprintable():
        return f"The comment after the key must be at most {MAX_COMMENT} printable characters.", None
    try:
        raw = base64.b64decode(blob, validate=True)
        parts = _strings(raw)
    except (binascii.Error, ValueError, struct.error):
        raw, parts = b"", []
    if not raw:
        return "The key is not complete: its middle part is not valid base64 of a key.", None
    if parts[0] != kind.encode():
        return "The key's content is of another type than its beginning says.", None
    if reason := _content(kind, parts[1:]):
        return reason, None
    digest = base64.b64encode(hashlib.sha256(raw).digest()).decode().rstrip("=")
    return "", PublicKey(kind, blob, comment, f"SHA256:{digest}")


def _strings(raw: bytes) -> list[bytes]:
    """Split RFC 4251 strings (length, bytes). Raises ValueError when they do not fill ``raw`` exactly."""
    parts, at = [], 0
    while at < len(raw):
        (length,) = struct.unpack_from(">I", raw, at)
        at += 4
        if length > len(raw) - at:
            raise ValueError("a string ends beyond the key")
        parts.append(raw[at : at + length])
        at += length
    return parts


def _content(kind: str, parts: list[bytes]) -> str:
    """Return what is wrong with the fields after the type, or ""."""
    wanted = 1 if kind == "ssh-ed25519" else 3 if kind.startswith("sk-ecdsa") else 2
    if len(parts) != wanted:
        return "The key is not complete: it lacks a part or has one too many."
    if kind in _ED25519:
        return "" if len(parts[0]) == _ED25519_BYTES else "An Ed25519 key has 32 bytes; this one has not."
    if kind == "ssh-rsa":
        exponent, modulus = (int.from_bytes(part, "big", signed=True) for part in parts)
        if exponent < 3 or exponent % 2 == 0 or modulus <= 0 or modulus % 2 == 0:
            return "The RSA key's numbers are not those of a key."
        if modulus.bit_length() < MIN_RSA_BITS:
            return f"An RSA key needs at least {MIN_RSA_BITS} bits; this one has {modulus.bit_length()}."
        return ""
    curve, size = _CURVES[kind]
    if parts[0] != curve.encode() or len(parts[1]) != 2 * size + 1 or parts[1][0] != 4:
        return "The ECDSA key is not a point of its curve."
    return ""
