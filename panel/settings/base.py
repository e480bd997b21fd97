"""Every setting. What differs between machines comes from the environment, read here and nowhere else."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import environ
from csp.constants import NONCE, NONE, SELF

BASE_DIR = Path(__file__).resolve().parents[2]
env = environ.FileAwareEnv()

STATE_DIR = Path(env.str("INNKEEPER_STATE", default=str(BASE_DIR / "var")))
CACHE_DIR = Path(env.str("INNKEEPER_CACHE", default="/var/cache/innkeeper"))
INSTANCE_ID = env.str("INNKEEPER_ID", default="0000")


def _secret(variable: str, file_name: str) -> str:
    """Return a secret from ``variable``, ``variable_FILE`` or the state folder; empty when none is set."""
    value = env.str(variable, default="")
    path = STATE_DIR / "secrets" / file_name
    if not value and path.is_file():
        value = path.read_text().strip()
    return value


SECRET_KEY = _secret("DJANGO_SECRET_KEY", "django_key")
TOKEN_PEPPER = _secret("TOKEN_PEPPER", "token_pepper")
KEY_ENCRYPTION_KEY = _secret("KEY_ENCRYPTION_KEY", "key_encryption_key")

DEBUG = False
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["127.0.0.1", "localhost", "[::1]"])
CSRF_TRUSTED_ORIGINS: list[str] = env.list("CSRF_TRUSTED_ORIGINS", default=[])
SECURE_COOKIES = env.bool("SECURE_COOKIES", default=False)

INSTALLED_APPS = [
    "panel.apps.PanelConfig",
    "panel.core.apps.CoreConfig",
    "hosts.apps.HostsConfig",
    "vms.apps.VmsConfig",
    "billing.apps.BillingConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "allauth",
    "allauth.account",
    "csp",
    "django_filters",
    "rest_framework",
    "drf_spectacular",
]
MIDDLEWARE = [
    "panel.core.middleware.RequestContextMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "panel.core.middleware.DatabaseDownMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "csp.middleware.CSPMiddleware",
]
ROOT_URLCONF = "panel.urls"
ASGI_APPLICATION = "panel.asgi.application"
TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "panel.pages.context.shell",
            ],
            "libraries": {"innkeeper": "panel.pages.tags"},
        },
    }
]

DATABASES = {
    "default": {
        **env.db_url("DATABASE_URL", default="postgres:///innkeeper"),
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {"connect_timeout": 5, "application_name": "innkeeper"},
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
REDIS_URL = env.str("REDIS_URL", default="redis://127.0.0.1:6379/0")
# Login throttles must survive a flushed Redis, so Django's cache lives in PostgreSQL.
# So many rows that those who try do not push their own counters out.
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.db.DatabaseCache",
        "LOCATION": "core_cache",
        "OPTIONS": {"MAX_ENTRIES": 100_000},
    }
}

AUTH_USER_MODEL = "core.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
]
PASSWORD_RESET_TIMEOUT = int(timedelta(hours=24).total_seconds())
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_ADAPTER = "panel.core.login.AccountAdapter"
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_LOGIN_ON_PASSWORD_RESET = True
ACCOUNT_RATE_LIMITS = {"login_failed": "10/5m/ip,5/5m/key", "login": "60/m/ip"}
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
ACCOUNT_LOGOUT_REDIRECT_URL = "account_login"
SESSION_COOKIE_AGE = int(timedelta(days=14).total_seconds())
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_COOKIES
SESSION_COOKIE_NAME = "__Host-innkeeper" if SECURE_COOKIES else "innkeeper_session"
CSRF_FAILURE_VIEW = "panel.core.api.problems.csrf_failure"

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English")]
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"

STATIC_URL = "/static/"
STATIC_ROOT = STATE_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATICFILES_FINDERS = ["django.contrib.staticfiles.finders.FileSystemFinder", "panel.static.VendorFinder"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "panel.static.HashedStaticFilesStorage"},
}
WHITENOISE_MAX_AGE = 60

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF, NONCE],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "manifest-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    }
}
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "panel.core.api.authentication.BearerAuthentication",
        "panel.core.api.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["panel.core.api.permissions.DeclaredPermission"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["panel.core.api.parsers.BoundedJsonParser"],
    "DEFAULT_SCHEMA_CLASS": "panel.core.api.schema.PanelSchema",
    "DEFAULT_THROTTLE_CLASSES": ["panel.core.api.throttling.ClientThrottle"],
    "EXCEPTION_HANDLER": "panel.core.api.problems.exception_handler",
    "UNAUTHENTICATED_USER": None,
    "DATETIME_FORMAT": "%Y-%m-%dT%H:%M:%S.%fZ",
}
API_RATE_LIMIT_PER_MINUTE = env.int("API_RATE_LIMIT_PER_MINUTE", default=1200)
API_REFUSED_LIMIT_PER_MINUTE = env.int("API_REFUSED_LIMIT_PER_MINUTE", default=60)  # bad tokens, per address
SPECTACULAR_SETTINGS = {
    "TITLE": "Innkeeper",
    "DESCRIPTION": "Virtualization management console and VPS control panel.",
    "VERSION": "v1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_NAME_OVERRIDES": {
        "HostTypeEnum": "billing.api.inputs.HOST_TYPES",
        "NetworkKindEnum": "hosts.api.inputs.NETWORK_KINDS",
        "NewNetworkKindEnum": "hosts.api.inputs.KINDS_TO_MAKE",
        "JobStatusEnum": "panel.core.models.jobs.JobStatus",
        "CustomerRoleEnum": "panel.core.models.accounts.CustomerRole",
        "ClientRoleEnum": "panel.core.api.tokens.ROLES",
    },
}

WEB_DB_SLOTS = env.int("WEB_DB_SLOTS", default=16)  # concurrent synchronous requests a process
WEB_DB_WAIT_S = env.float("WEB_DB_WAIT_S", default=5.0)

# Celery's name for a Redis on a unix socket: unix:///path?db=1 is redis+socket:///path?virtual_host=1.
CELERY_BROKER_URL = re.sub(r"^unix:", "redis+socket:", REDIS_URL).replace("?db=", "?virtual_host=")
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_ACKS_LATE = False  # the job row is the truth; the sweeper re-sends what a dead worker dropped
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_ENABLE_REMOTE_CONTROL = False  # whoever can write to Redis must not be able to stop a worker
CELERY_TASK_DEFAULT_QUEUE = "jobs"
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "socket_timeout": 3,
    "socket_connect_timeout": 1,
    # No acknowledgements in Redis: one that fails would never be taken off a worker's count of unfinished messages,
    # and a worker whose count is full takes no message ever again. Nothing needs them; lost messages are sent again.
    "ack_emulation": False,
    # Kombu's own waits add up to 6 s for each message while Redis is away; a request must not pay for that.
    "max_retries": 1,
    "interval_start": 0,
    "interval_step": 0,
    "interval_max": 0,
}
CELERY_TASK_PUBLISH_RETRY = False  # without Redis a request is accepted at once; the sweeper sends later
CELERY_WORKER_HIJACK_ROOT_LOGGER = False

JOB_LEASE_S = env.float("JOB_LEASE_S", default=60.0)  # by database time
JOB_RENEW_S = env.float("JOB_RENEW_S", default=15.0)
JOB_RESEND_S = env.float("JOB_RESEND_S", default=10.0)  # a queued job nobody claimed is sent again after this
JOB_SWEEP_S = env.float("JOB_SWEEP_S", default=5.0)
JOB_RETRY_LIMIT = env.int("JOB_RETRY_LIMIT", default=5)  # attempts after a retryable error
HOST_CALL_DEADLINE_S = env.float("HOST_CALL_DEADLINE_S", default=30.0)
COLLECT_EVERY_S = env.float("COLLECT_EVERY_S", default=15.0)
COLLECT_LEASE_S = env.float("COLLECT_LEASE_S", default=10.0)  # a collector silent for so long has lost its hosts
# A guest that nobody has looked at for so long is shown as unknown; well above a busy collector's longest round.
OBSERVED_STALE_S = env.float("OBSERVED_STALE_S", default=max(120.0, 8 * COLLECT_EVERY_S))
COMPARE_EVERY_S = env.float("COMPARE_EVERY_S", default=300.0)  # of each hypervisor with the panel
CHECKPOINT_HOOK = env.str("CHECKPOINT_HOOK", default="")  # dotted name, called at every checkpoint; tests only
AUDIT_RETENTION_MONTHS = env.int("AUDIT_RETENTION_MONTHS", default=24)
IDEMPOTENCY_DAYS = 7

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"()": "panel.core.logs.json_formatter"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": env.str("LOG_LEVEL", default="INFO")},
    "loggers": {
        "django.server": {"level": "WARNING"},
        "celery": {"level": "INFO"},
        "multiprocessing": {"level": "WARNING", "propagate": True},
        # Named with no handlers, so that those which their own set-up gave them are taken away.
        "uvicorn": {"level": "INFO", "handlers": [], "propagate": True},
        "uvicorn.error": {"level": "INFO", "handlers": [], "propagate": True},
        "uvicorn.access": {"level": "WARNING", "handlers": [], "propagate": True},
    },
}

# Who may read /metrics beside staff: whoever has this token, and callers on this machine that no proxy speaks for.
METRICS_TOKEN = env.str("METRICS_TOKEN", default="")
METRICS_LOOPBACK = env.bool("METRICS_LOOPBACK", default=True)
