"""People and programs: users, customers, who belongs to whom, and the tokens they use."""

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.postgres.indexes import GinIndex, OpClass
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Lower, Now, Upper

from panel.core.models.base import Record, VersionedRecord


class StaffRole(models.TextChoices):
    """What a user of the hosting company may do."""

    NONE = "", "Not staff"
    OPERATOR = "operator", "Operator"
    ADMIN = "admin", "Administrator"


class CustomerRole(models.TextChoices):
    """What a user may do with a customer's things."""

    VIEWER = "viewer", "Viewer"
    MEMBER = "member", "Member"
    OWNER = "owner", "Owner"


class ClientRole(models.TextChoices):
    """What an integration may do. A person's client has none: the person's own roles count."""

    NONE = "", "Person"
    BILLING = "billing", "Billing system"
    OPERATOR = "operator", "Operator"
    ADMIN = "admin", "Administrator"


class TokenScope(models.TextChoices):
    """A token's own limit, below its owner's rights."""

    READ = "read", "Read"
    WRITE = "write", "Read and write"


class UserManager(BaseUserManager["User"]):
    """Makes users; e-mail addresses are compared without regard to case."""

    def get_by_natural_key(self, username: str | None) -> "User":
        return self.get(email__iexact=username)


class User(VersionedRecord, AbstractBaseUser):
    """A person who can sign in. Made by staff or by an owner of a customer, never by self-service.

    ``made_for`` is the customer whose owner made the account and got its first link: nobody else has seen who
    holds it, so it belongs to no other customer and to no staff until staff have handed it over anew.
    """

    email = models.EmailField(max_length=254, unique=True)
    name = models.CharField(max_length=120, blank=True)
    staff_role = models.CharField(max_length=16, choices=StaffRole, default=StaffRole.NONE, blank=True)
    is_active = models.BooleanField(default=True)
    theme = models.CharField(max_length=8, default="auto")
    made_for = models.ForeignKey("core.Customer", null=True, on_delete=models.SET_NULL, related_name="+")

    objects = UserManager()

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"

    class Meta:
        constraints = [models.UniqueConstraint(Lower("email"), name="core_user_email")]

    def __str__(self) -> str:
        return self.email

    @property
    def is_staff(self) -> bool:
        """True for people of the hosting company."""
        return bool(self.staff_role)


class Customer(VersionedRecord):
    """Who pays and who owns servers. Deleted only when they have no servers; the row stays for the records.

    ``quota_…`` null is unlimited. ``used_…`` is what living guests hold; it is moved in the same
    transaction as the guest, by a guarded UPDATE, never computed and then checked.
    """

    name = models.CharField(max_length=120)
    email = models.EmailField(max_length=254, blank=True)
    external_id = models.CharField(max_length=120, null=True, blank=True)
    client = models.ForeignKey("core.ApiClient", null=True, on_delete=models.PROTECT, related_name="customers_made")
    is_house = models.BooleanField(default=False)
    deleted_at = models.DateTimeField(null=True, editable=False)
    quota_guests = models.PositiveIntegerField(null=True, blank=True)
    quota_vcpus = models.PositiveIntegerField(null=True, blank=True)
    quota_memory_mib = models.PositiveIntegerField(null=True, blank=True)
    quota_disk_gib = models.PositiveIntegerField(null=True, blank=True)
    quota_addresses = models.PositiveIntegerField(null=True, blank=True)
    used_guests = models.PositiveIntegerField(default=0)
    used_vcpus = models.PositiveIntegerField(default=0)
    used_memory_mib = models.PositiveIntegerField(default=0)
    used_disk_gib = models.PositiveIntegerField(default=0)
    used_addresses = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["client", "external_id"], condition=Q(deleted_at__isnull=True), name="core_customer_external_id"
            ),
            models.UniqueConstraint(fields=["is_house"], condition=Q(is_house=True), name="core_customer_one_house"),
        ]
        indexes = [
            models.Index(F("created_at").desc(), F("id").desc(), name="core_customer_newest"),
            models.Index(fields=["name", "id"], name="core_customer_name"),
            GinIndex(OpClass(Upper("name"), name="gin_trgm_ops"), name="core_customer_name_trgm"),
        ]

    def __str__(self) -> str:
        return self.name


class Membership(Record):
    """A user's role with one customer."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=16, choices=CustomerRole)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "customer"], name="core_membership_once")]

    def __str__(self) -> str:
        return f"{self.user_id} {self.role} of {self.customer_id}"


class ApiClient(Record):
    """Who speaks to the API: a person (one row each), or an integration such as a billing system.

    Owns tokens, idempotency keys and external ids, so that replacing a token changes neither.
    """

    name = models.CharField(max_length=120)
    user = models.OneToOneField(User, null=True, on_delete=models.CASCADE, related_name="client")
    role = models.CharField(max_length=16, choices=ClientRole, default=ClientRole.NONE, blank=True)
    is_active = models.BooleanField(default=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(user__isnull=False, role="") | (Q(user__isnull=True) & ~Q(role="")),
                name="core_apiclient_person_or_integration",
            )
        ]

    def __str__(self) -> str:
        return self.name


class ApiToken(Record):
    """A bearer token: 16 characters of prefix and 48 of secret. Only the secret's HMAC is kept."""

    client = models.ForeignKey(ApiClient, on_delete=models.CASCADE, related_name="tokens")
    name = models.CharField(max_length=120)
    prefix = models.CharField(max_length=16, unique=True)
    secret_hmac = models.CharField(max_length=64)
    scope = models.CharField(max_length=8, choices=TokenScope, default=TokenScope.WRITE)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    last_used_address = models.GenericIPAddressField(null=True, blank=True)
    created_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"


class TokenNetwork(models.Model):
    """An address that a token was used from; of IPv6 the /64."""

    token = models.ForeignKey(ApiToken, on_delete=models.CASCADE, related_name="networks")
    network = models.CharField(max_length=43)
    first_used_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [models.UniqueConstraint(fields=["token", "network"], name="core_tokennetwork_once")]

    def __str__(self) -> str:
        return f"{self.token_id} from {self.network}"


class SshKey(Record):
    """A public key that a customer keeps for new servers."""

    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="ssh_keys")
    name = models.CharField(max_length=120)
    public_key = models.TextField()
    fingerprint = models.CharField(max_length=64)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["customer", "fingerprint"], name="core_sshkey_once"),
            models.UniqueConstraint(fields=["customer", "name"], name="core_sshkey_name"),
        ]
        indexes = [models.Index(F("created_at").desc(), F("id").desc(), name="core_sshkey_newest")]

    def __str__(self) -> str:
        return self.name
