"""The panel backed up into a file and restored: by its own commands, in processes, into databases of their own."""

import hashlib
import json
import os
import shutil
import stat
import subprocess
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.services.backup_places import FILL, LOOK, PASSPHRASE, Place, Places


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Places]:
    made = Places(tmp_path_factory.mktemp("places"))
    yield made
    made.close()


@dataclass
class Source:
    """The installation that was backed up, the file, and what to try on a restored one."""

    place: Place
    file: Path
    given: dict[str, str]
    said: str


@pytest.fixture(scope="module")
def source(places: Places, tmp_path_factory: pytest.TempPathFactory) -> Source:
    place = places.make()
    place.run("migrate", "--no-input", "-v", "0")
    given = json.loads(place.run("shell", "-v", "0", "-c", FILL))
    file = tmp_path_factory.mktemp("backups") / "panel.backup"
    said = place.run("backup", str(file), INNKEEPER_BACKUP_PASSPHRASE=PASSPHRASE)
    return Source(place, file, given, said)


@pytest.fixture(scope="module")
def empty(places: Places) -> Place:
    """A place that no test succeeds to restore into."""
    return places.make()


@pytest.fixture
def passphrase_file(tmp_path: Path) -> Path:
    path = tmp_path / "passphrase"
    path.write_text(f"{PASSPHRASE}\n")
    return path


def test_a_backup_is_one_private_file_and_is_remembered(source):
    assert stat.S_IMODE(source.file.stat().st_mode) == 0o600
    assert list(source.file.parent.iterdir()) == [source.file]
    assert "sealed with the passphrase" in source.said
    row = source.place.query("SELECT file || ' ' || size_bytes || ' ' || with_secrets FROM core_panelbackup")
    assert row == f"panel.backup {source.file.stat().st_size} true"
    assert source.place.query("SELECT count(*) FROM core_auditentry WHERE action = 'panel.backed-up'") == 1
    content = source.file.read_bytes()
    for secret in (*source.place.secrets(), PASSPHRASE):
        assert secret.encode() not in content


def test_a_restore_into_an_empty_database_is_the_panel_again(source, places, passphrase_file):
    target = places.make()
    said = target.run("restore", str(source.file), "--passphrase-file", str(passphrase_file))
    assert "3 jobs that were under way then have failed; none is carried on." in said
    assert target.secrets() == source.place.secrets()
    assert {stat.S_IMODE(path.stat().st_mode) for path in (target.state / "secrets").iterdir()} == {0o600}
    assert not list((target.state / "secrets").glob("*.restored"))
    found = json.loads(target.run("shell", "-v", "0", "-c", LOOK.format(given=json.dumps(source.given))))
    assert (found["me"], found["password"], found["ready"]) == (200, True, 200)
    assert found["jobs"] == [
        ["guest.bulk", "error", "children_failed"],
        ["guest.create", "error", "restored"],
        ["guest.delete", "error", "restored"],
        ["guest.start", "error", "restored"],
        ["guest.stop", "success", ""],
    ]
    assert found["attempt"] == 2  # the worker of then is fenced
    assert {name: found[name] for name in ("active", "held", "undo", "slots", "sessions")} == dict.fromkeys(
        ("active", "held", "undo", "slots", "sessions"), 0
    )
    assert found["guests"] == [
        ["new", "error", "unknown"], ["old", "deleting", "running"], ["web", "active", "unknown"],
    ]  # fmt: skip
    assert (found["answers"], found["backups"]) == (1, 1)
    assert found["trail"] == ["panel.restored"]
    assert found["trail_kept"]
    assert found["versions_rise"]


def test_a_database_with_anything_in_it_is_left_alone_unless_told_to_replace_it(source, places, passphrase_file):
    target = places.make()
    target.query("CREATE TABLE precious (words text); INSERT INTO precious VALUES ('mine')")
    own = target.secrets()
    words = ("restore", str(source.file), "--passphrase-file", str(passphrase_file))
    assert "not empty. Nothing was changed" in target.run(*words, ok=False)
    assert target.query("SELECT words FROM precious") == "mine"
    assert (target.tables(), target.secrets()) == ({"precious"}, own)
    target.run(*words, "--replace")
    assert "precious" not in target.tables()
    assert target.tables() == source.place.tables()
    assert target.query("SELECT name FROM core_customer WHERE name = 'Northwind'") == "Northwind"
    # and once more, over a database that is the panel's own
    target.query("UPDATE core_customer SET name = 'Later'")
    target.run(*words, "--replace")
    assert target.query("SELECT count(*) FROM core_customer WHERE name = 'Northwind'") == 1


@pytest.mark.parametrize("where", ["start", "middle", "end", "cut", "text"])
def test_a_damaged_file_changes_nothing(source, empty, passphrase_file, tmp_path, where):
    damaged = tmp_path / "damaged.backup"
    content = bytearray(source.file.read_bytes())
    place = {"start": 200, "middle": len(content) // 2, "end": len(content) - 60}.get(where, 0)
    if where == "cut":
        content = content[: len(content) // 2]
    elif where == "text":
        content = bytearray(b"no backup at all\n")
    else:
        content[place : place + 8] = bytes(255 - one for one in content[place : place + 8])
    damaged.write_bytes(content)
    target = empty
    own = target.secrets()
    said = target.run("restore", str(damaged), "--passphrase-file", str(passphrase_file), ok=False)
    assert "is not a backup of the panel, or it is damaged. Nothing was changed." in said
    assert (target.tables(), target.secrets()) == (set(), own)


def test_a_dump_that_postgresql_cannot_take_rolls_everything_back(source, places, passphrase_file, tmp_path):
    """A file whose sums are right and whose dump is not: nothing of it stays, and what was there is there."""
    broken = tmp_path / "broken.backup"
    with zipfile.ZipFile(source.file) as good, zipfile.ZipFile(broken, "w") as bad:
        dump = good.read("database.dump")[:-5000]
        manifest = json.loads(good.read("manifest.json"))
        manifest["members"]["database.dump"] = hashlib.sha256(dump).hexdigest()
        bad.writestr("database.dump", dump)
        bad.writestr("secrets.sealed", good.read("secrets.sealed"))
        bad.writestr("manifest.json", json.dumps(manifest))
    target = places.make()
    target.query("CREATE TABLE precious (words text); INSERT INTO precious VALUES ('mine')")
    own = target.secrets()
    target.run("restore", str(broken), "--passphrase-file", str(passphrase_file), "--replace", ok=False)
    assert target.tables() == {"precious"}
    assert target.query("SELECT words FROM precious") == "mine"
    assert target.secrets() == own
    assert not list((target.state / "secrets").glob("*.restored"))


def test_a_wrong_or_missing_passphrase_changes_nothing(source, places):
    target = places.make()
    own = target.secrets()
    said = target.run("restore", str(source.file), ok=False, INNKEEPER_BACKUP_PASSPHRASE="something else entirely")
    assert "not the passphrase" in said
    assert "give its passphrase" in target.run("restore", str(source.file), ok=False)
    assert (target.tables(), target.secrets()) == (set(), own)
    target.run("restore", str(source.file), "--keep-secrets")
    assert target.secrets() == own
    assert target.query("SELECT count(*) FROM core_user") == 1


def test_without_a_passphrase_the_secrets_are_left_out_and_it_says_so(source, places, tmp_path):
    file = tmp_path / "plain.backup"
    assert "secrets are NOT in it" in source.place.run("backup", str(file))
    assert zipfile.ZipFile(file).namelist() == ["database.dump", "manifest.json"]
    target = places.make()
    said = target.run("restore", str(file), ok=False)
    assert "other secrets than the backup's" in said
    assert target.tables() == set()
    shutil.copytree(source.place.state / "secrets", target.state / "secrets", dirs_exist_ok=True)
    target.run("restore", str(file))
    assert target.query("SELECT count(*) FROM core_user") == 1


def _with_manifest(source: Source, path: Path, **changes) -> Path:
    with zipfile.ZipFile(source.file) as good, zipfile.ZipFile(path, "w") as other:
        manifest = json.loads(good.read("manifest.json"))
        for name in good.namelist():
            other.writestr(name, good.read(name) if name != "manifest.json" else json.dumps(manifest | changes))
    return path


def test_a_newer_schema_is_refused(source, places, tmp_path):
    with zipfile.ZipFile(source.file) as good:
        migrations = json.loads(good.read("manifest.json"))["migrations"]
    newer = _with_manifest(source, tmp_path / "newer", migrations=[*migrations, ["core", "9999_of_tomorrow"]])
    target = places.make()
    said = target.run("restore", str(newer), ok=False, INNKEEPER_BACKUP_PASSPHRASE=PASSPHRASE)
    assert "made by a newer version of the panel (core.9999_of_tomorrow" in said
    assert target.tables() == set()


def test_an_older_schema_is_migrated(places, tmp_path):
    older = places.make()
    for words in (("core", "0008"), ("vms", "0007"), ("sessions",), ("account",)):
        older.run("migrate", "--no-input", "-v", "0", *words)
    older.query("INSERT INTO core_cache VALUES ('left out', '', now())")
    older.query(
        "INSERT INTO core_auditentry (id, action, outcome, actor_kind, actor_label, request_id, object_type, "
        "object_label, changes) VALUES (gen_random_uuid(), 'of.old', 'accepted', 'system', 's', '', '', '', '{}')"
    )
    file = tmp_path / "older.backup"
    older.run("backup", str(file), INNKEEPER_BACKUP_PASSPHRASE=PASSPHRASE)
    target = places.make()
    said = target.run("restore", str(file), INNKEEPER_BACKUP_PASSPHRASE=PASSPHRASE)
    assert "migrations of this version were applied" in said
    assert target.query("SELECT count(*) FROM django_migrations WHERE app = 'billing'") == 4
    assert target.query("SELECT count(*) FROM core_auditentry WHERE action = 'of.old'") == 1
    assert target.query("SELECT count(*) FROM core_cache") == 0
    assert target.query("SELECT count(*) FROM core_panelbackup") == 1


def test_a_full_disk_leaves_no_file_and_keeps_the_last_one(source, tmp_path):
    if os.geteuid() != 0:
        pytest.skip("needs root to make a small file system")
    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(small)], check=True)
    try:
        last = small / "panel.backup"
        last.write_bytes(b"the last one")
        said = source.place.run("backup", str(last), ok=False, INNKEEPER_BACKUP_PASSPHRASE=PASSPHRASE)
        assert "there is not enough space. There is no new backup." in said
        assert list(small.iterdir()) == [last]
        assert last.read_bytes() == b"the last one"
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_what_cannot_be_is_said_in_a_sentence(source, tmp_path):
    nowhere = tmp_path / "no" / "such" / "folder"
    assert "cannot be written" in source.place.run("backup", str(nowhere), ok=False)
    assert "at least 12 characters" in source.place.run(
        "backup", str(tmp_path / "x"), ok=False, INNKEEPER_BACKUP_PASSPHRASE="short"
    )
    assert "cannot be read" in source.place.run("restore", str(nowhere), ok=False)
    assert "is not a file" in source.place.run("backup", str(tmp_path), ok=False)
    assert list(tmp_path.iterdir()) == []
