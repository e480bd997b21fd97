"""Every page, by who opens it; ``{…}`` are the demo's ids."""

STAFF, OWNER = "ada@hoster.example", "grace@northwind.example"
OPERATOR = "linus@hoster.example"
PASSWORD = "correct horse battery"
PEOPLE = {"admin": STAFF, "operator": OPERATOR, "owner": OWNER}
WIDTHS = {1440: 900, 390: 844}

OPEN_PAGES = {
    "login": "/accounts/login/",
    "logout": "/accounts/logout/",
    "set-password-ended": "/accounts/password/reset/key/2-abc-def/",
    "password-forgotten": "/accounts/password/reset/",
    "no-sign-up": "/accounts/signup/",
    "not-found": "/nowhere",
}
ADMIN_PAGES = {
    "overview": "/overview",
    "health": "/health",
    "hosts": "/hosts",
    "host": "/hosts/{slow_host}",
    "host-metrics": "/hosts/{host}?tab=metrics&range=24h",
    "utilisation": "/utilisation",
    "utilisation-table": "/utilisation?view=table&range=7d",
    "host-guests": "/hosts/{host}?tab=guests",
    "differences": "/differences",
    "guests": "/guests",
    "guest-new": "/guests/new",
    "guest": "/guests/{guest}",
    "guest-failed": "/guests/{broken}",
    "customers": "/customers",
    "customer": "/customers/{customer}",
    "customer-people": "/customers/{customer}?tab=overview",
    "customer-audit": "/customers/{customer}?tab=audit",
    "users": "/users",
    "images": "/images",
    "networks": "/networks",
    "network": "/networks/{network}",
    "plans": "/plans",
    "jobs": "/jobs",
    "job-running": "/jobs/{running_job}",
    "job-failed": "/jobs/{failed_job}",
    "audit": "/audit",
    "settings": "/settings",
    "settings-tokens": "/settings?tab=tokens",
    "admin-tokens": "/tokens",
    "admin-profile": "/profile",
}
OWNER_PAGES = {
    "servers": "/servers",
    "server-new": "/servers/new",
    "server": "/servers/{guest}",
    "server-building": "/servers/{building}",
    "server-metrics": "/servers/{guest}?tab=metrics",
    "server-metrics-day": "/servers/{guest}?tab=metrics&range=24h",
    "server-metrics-table": "/servers/{guest}?tab=metrics&range=6h&view=table",
    "server-network": "/servers/{guest}?tab=network",
    "server-activity": "/servers/{guest}?tab=activity",
    "server-settings": "/servers/{guest}?tab=settings",
    "keys": "/keys",
    "team": "/team",
    "tokens": "/tokens",
    "activity": "/activity",
    "job": "/jobs/{failed_job}",
    "job-of-many": "/jobs/{many_job}",
    "profile": "/profile",
    "change-password": "/accounts/password/change/",
    "forbidden": "/hosts",
}
PAGES = {"nobody": OPEN_PAGES, "admin": ADMIN_PAGES, "owner": OWNER_PAGES}
