"""The few of allauth's pages that people need. Its others would let users change the address they are known by."""

from allauth.account import urls

KEPT = {
    "account_login",
    "account_logout",
    "account_inactive",
    "account_signup",  # says that it is closed
    "account_reauthenticate",
    "account_change_password",
    "account_set_password",
    "account_reset_password",  # says whom to ask
    "account_reset_password_done",
    "account_reset_password_from_key",
    "account_reset_password_from_key_done",
}
urlpatterns = [entry for entry in urls.urlpatterns if getattr(entry, "name", None) in KEPT]
