"""API routes of the kernel."""

from django.urls import path
from drf_spectacular.views import SpectacularJSONAPIView

from panel.core.api import audit, customers, events, fleet_health, jobs, keys, me, members, tokens, users

_MEMBER = "customers/<uuid:customer_id>/members/<uuid:user_id>"
urlpatterns = [
    path("schema", SpectacularJSONAPIView.as_view(authentication_classes=[]), name="schema"),
    path("me", me.MeView.as_view(), name="me"),
    path("me/actions/stop-acting", me.StopActingView.as_view(), name="me-stop-acting"),
    path("customers", customers.CustomerListView.as_view(), name="customers"),
    path("customers/<uuid:customer_id>", customers.CustomerDetailView.as_view(), name="customer"),
    path("customers/<uuid:customer_id>/actions/act-for", me.ActForView.as_view(), name="customer-act-for"),
    path("customers/<uuid:customer_id>/members", members.MemberListView.as_view(), name="members"),
    path(_MEMBER, members.MemberDetailView.as_view(), name="member"),
    path(f"{_MEMBER}/actions/set-password-link", members.MemberLinkView.as_view(), name="member-set-password-link"),
    path("users", users.UserListView.as_view(), name="users"),
    path("users/<uuid:user_id>", users.UserDetailView.as_view(), name="user"),
    path("users/<uuid:user_id>/actions/set-password-link", users.UserLinkView.as_view(), name="user-set-password-link"),
    path("ssh-keys", keys.KeyListView.as_view(), name="ssh-keys"),
    path("ssh-keys/<uuid:key_id>", keys.KeyDetailView.as_view(), name="ssh-key"),
    path("tokens", tokens.TokenListView.as_view(), name="tokens"),
    path("tokens/<uuid:token_id>", tokens.TokenDetailView.as_view(), name="token"),
    path("clients", tokens.ClientListView.as_view(), name="clients"),
    path("clients/<uuid:client_id>", tokens.ClientDetailView.as_view(), name="client"),
    path("jobs", jobs.JobListView.as_view(), name="jobs"),
    path("jobs/<uuid:job_id>", jobs.JobDetailView.as_view(), name="job"),
    path("jobs/<uuid:job_id>/actions/cancel", jobs.JobCancelView.as_view(), name="job-cancel"),
    path("jobs/<uuid:job_id>/actions/retry", jobs.JobRetryView.as_view(), name="job-retry"),
    path("health", fleet_health.HealthView.as_view(), name="health"),
    path("audit", audit.AuditListView.as_view(), name="audit"),
    path("events", events.EventsView.as_view(), name="events"),
]
