# Everything is in panel/setup, which needs nothing but Python 3.11. Variables that it reads:
#   LISTEN=ADDRESS:PORT       where the panel listens (default 127.0.0.1:8000; TLS on any other address)
#   DETACH=1                  make up returns when the panel is up
#   FORCE=1                   make down does not ask
#   GUEST_NETWORK=CIDR        the guests' IPv4 subnet, instead of a free one
#   FILE=PATH PASSPHRASE_FILE=PATH   of make backup and make restore; REPLACE=1: restore over what is there
#   INNKEEPER_STATE, INNKEEPER_CACHE, DATABASE_URL, REDIS_URL
PYTHON ?= $(firstword $(wildcard /usr/bin/python3) python3)
SETUP = $(PYTHON) -B -m panel.setup

export LISTEN FORCE GUEST_NETWORK

.PHONY: up stop status down token admin-password backup restore check test test-full bench screenshots

up:
	@$(SETUP) up $(if $(filter-out 0,$(DETACH)),--detach)

stop status down check:
	@$(SETUP) $@

token:
	@$(SETUP) manage api_token

admin-password:
	@$(SETUP) manage admin_password

backup:
	@$(if $(FILE),,$(error Say where: make backup FILE=/somewhere/panel.backup))
	@$(SETUP) manage backup "$(FILE)" $(if $(PASSPHRASE_FILE),--passphrase-file "$(PASSPHRASE_FILE)")

restore:
	@$(if $(FILE),,$(error Say which: make restore FILE=/somewhere/panel.backup))
	@$(SETUP) manage restore "$(FILE)" $(if $(PASSPHRASE_FILE),--passphrase-file "$(PASSPHRASE_FILE)") $(if $(filter-out 0,$(REPLACE)),--replace)

test:
	@$(SETUP) test

test-full:
	@$(SETUP) test --full

bench:
	@$(SETUP) bench

screenshots:
	@$(PYTHON) -B -m tests.runner.screenshots
