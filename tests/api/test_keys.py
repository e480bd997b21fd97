"""``/ssh-keys`` and what counts as a public key."""

import base64
import struct
import subprocess

import pytest

from panel.core.errors import InvalidInputError
from panel.core.models import SshKey
from panel.core.people.ssh_public_key import public_key_parse
from tests import factories
from tests.client import problem


def blob(*parts: bytes) -> str:
    return base64.b64encode(b"".join(struct.pack(">I", len(p)) + p for p in parts)).decode()


GOOD = factories.ED25519


@pytest.mark.parametrize(("kind", "bits"), [("ed25519", "256"), ("rsa", "2048"), ("ecdsa", "256"), ("ecdsa", "521")])
def test_what_ssh_keygen_makes_is_accepted_with_its_fingerprint(tmp_path, kind, bits):
    file = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", kind, "-b", bits, "-N", "", "-C", "me@here", "-f", file], check=True)
    printed = subprocess.run(["ssh-keygen", "-lf", file], check=True, capture_output=True, text=True).stdout
    key = public_key_parse(file.with_suffix(".pub").read_text())
    assert key.fingerprint == printed.split()[1]
    assert key.comment == "me@here"
    assert key.line == file.with_suffix(".pub").read_text().strip()
    with pytest.raises(InvalidInputError, match="private key"):
        public_key_parse(file.read_text())


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "Paste a public key"),
        ("hello", "begins with its type"),
        ('command="id" ' + GOOD, "begins with its type"),
        ("ssh-dss AAAA", "DSA"),
        ("ssh-ed25519", "not complete"),
        ("ssh-ed25519 !!!!", "not complete"),
        (GOOD[:-4], "not complete"),
        (GOOD.replace("ssh-ed25519", "ssh-rsa", 1), "another type"),
        (GOOD + "\n" + GOOD, "one line"),
        (GOOD + "\nroot ALL", "one line"),
        (GOOD + " a\x07b", "printable"),
        (GOOD + " " + "c" * 201, "at most 200"),
        ("ssh-rsa " + "A" * 9000, "at most 8192"),
        (f"ssh-ed25519 {blob(b'ssh-ed25519', b'x' * 31)}", "32 bytes"),
        (f"ssh-ed25519 {blob(b'ssh-ed25519', b'x' * 32, b'')}", "one too many"),
        (
            f"ssh-rsa {blob(b'ssh-rsa', bytes([1, 0, 1]), bytes([0]) + bytes([255]) * 128)}",
            "2048 bits; this one has 1024",
        ),
        (f"ssh-rsa {blob(b'ssh-rsa', bytes([2]), bytes([0]) + bytes([255]) * 256)}", "not those of a key"),
        (f"ecdsa-sha2-nistp256 {blob(b'ecdsa-sha2-nistp256', b'nistp384', b'x' * 65)}", "not a point"),
        ("-----BEGIN OPENSSH PRIVATE KEY-----\nabc\n-----END OPENSSH PRIVATE KEY-----", "private key"),
        ("PuTTY-User-Key-File-3: ssh-ed25519", "private key"),
    ],
)
def test_everything_else_is_refused_with_a_sentence(text, says):
    with pytest.raises(InvalidInputError, match=says):
        public_key_parse(text)


@pytest.mark.django_db
def test_a_member_keeps_renames_and_forgets_a_key(member_api, customer):
    response = member_api.post("/ssh-keys", {"name": "laptop", "public_key": f"  {GOOD}   me@laptop \n"})
    body = response.json()
    assert response.status_code == 201
    assert (body["customer"], body["public_key"]) == (str(customer.pk), f"{GOOD} me@laptop")
    assert body["fingerprint"].startswith("SHA256:")
    conflict = problem(member_api.post("/ssh-keys", {"name": "other", "public_key": GOOD}), 409, "conflict")
    assert conflict["key_id"] == body["id"]
    path = f"/ssh-keys/{body['id']}"
    assert member_api.patch(path, {"name": "desk"}).json()["name"] == "desk"
    problem(member_api.patch(path, {"public_key": GOOD}), 400, "invalid_input", "public_key")
    assert member_api.delete(path).status_code == 204
    problem(member_api.get(path), 404, "not_found")


@pytest.mark.django_db
def test_keys_of_others_are_out_of_sight(stranger_api, viewer_api, customer):
    key = factories.ssh_key_make(customer)
    path = f"/ssh-keys/{key.pk}"
    assert stranger_api.get("/ssh-keys").json()["results"] == []
    for response in (stranger_api.get(path), stranger_api.patch(path, {"name": "x"}), stranger_api.delete(path)):
        problem(response, 404, "not_found")
    problem(stranger_api.get("/ssh-keys", customer=customer.pk), 404, "not_found")
    given = {"name": "x", "public_key": GOOD, "customer": str(customer.pk)}
    problem(stranger_api.post("/ssh-keys", given), 404, "not_found")
    assert viewer_api.get(path).status_code == 200
    problem(viewer_api.delete(path), 403, "permission_denied")
    assert SshKey.objects.filter(pk=key.pk).exists()


@pytest.mark.django_db
def test_whose_key_it_is(admin_api, api_of, customer):
    house = factories.house_make()
    assert admin_api.post("/ssh-keys", {"name": "a", "public_key": GOOD}).json()["customer"] == str(house.pk)
    given = {"name": "a", "public_key": GOOD, "customer": str(customer.pk)}
    assert admin_api.post("/ssh-keys", given).json()["customer"] == str(customer.pk)
    both = factories.member_make(customer)
    both.memberships.create(customer=factories.customer_make(), role="owner")
    problem(api_of(both).post("/ssh-keys", {"name": "b", "public_key": GOOD}), 400, "invalid_input", "customer")
    problem(admin_api.post("/ssh-keys", {"name": "c", "public_key": "x"}), 400, "invalid_input", "public_key")
