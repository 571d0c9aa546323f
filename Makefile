# Every target works on a fresh machine: the virtual environment is made, and kept current, on the way.

SYSTEM_PYTHON ?= python3
BOOTSTRAP := $(SYSTEM_PYTHON) local/bootstrap.py
BIN := .venv/bin
ARGS ?=

# The queue and the passwords of `make up`.
BROKER ?= rabbitmq
ENV_FILE ?= deploy/compose/development.env
COMPOSE = FRAUDSENSE_BROKER=$(BROKER) docker compose --env-file $(ENV_FILE) --profile $(BROKER)

.DEFAULT_GOAL := help
.PHONY: help run status test chaos scale-sim image-test check check-deploy kind-up kind-down deploy-azure destroy-azure format func up down logs lock train clean venv

help: ## Show this list
	@echo "FraudSense: make TARGET"
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo "Settings: see .env.example. Other commands: $(BIN)/python -m local --help"

run: ## Start everything on this machine with sample traffic; Ctrl-C stops it
	@$(BOOTSTRAP) run

status: ## Show the URLs and process ids of what `make run` started
	@$(BOOTSTRAP) status

test: ## Run the tests on services of their own; e.g. make test ARGS="-k alerts"
	@$(BOOTSTRAP) test -- $(ARGS)

chaos: ## Load and seeded faults on a stack of its own, then the books; e.g. make chaos ARGS="--seed 2 --seconds 900"
	@$(BOOTSTRAP) chaos $(ARGS)

scale-sim: ## Start and stop real scorers by KEDA's rules; e.g. make scale-sim ARGS="--day"
	@$(BOOTSTRAP) scale-sim $(ARGS)

image-test: ## Build the image with podman on a stand-in base, and test what it does; e.g. make image-test ARGS="-k scored"
	@$(BOOTSTRAP) image-test -- $(ARGS)

check: venv ## Lint, formatting, types and import contracts
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports

check-deploy: ## Check image, compose, manifests, Bicep and workflows offline; e.g. make check-deploy ARGS="-k bicep"
	@$(BOOTSTRAP) --deploy
	@.venv-deploy/bin/python -m pytest -c tests/deploy/pytest.ini -rs tests/deploy $(ARGS)

kind-up: ## FraudSense in a Kubernetes cluster on this machine; needs Docker, kind, kubectl and helm
	@k8s/kind/up.sh

kind-down: ## Remove that cluster, with its data
	@k8s/kind/down.sh

deploy-azure: venv ## Bring it to Azure and test it there; e.g. make deploy-azure ENV=dev LOCATION=westeurope ARGS=--dry-run
	@infra_bicep/deploy.sh --env "$(ENV)" $(if $(LOCATION),--location "$(LOCATION)") $(ARGS)

destroy-azure: ## Delete an environment with all that is in it; e.g. make destroy-azure ENV=dev
	@infra_bicep/deploy.sh --env "$(ENV)" --destroy $(ARGS)

format: venv ## Format the code and mend what ruff can
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

func: ## Like run, with Azure Functions Core Tools instead of the stand-in
	@$(BOOTSTRAP) func

lock: venv ## Pin all requirements*.in, with hashes, in the requirements*.txt beside them
	@$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-annotate \
		--custom-compile-command "make lock" requirements.in -o requirements.txt
	@$(BIN)/uv pip compile -q --python-version 3.13 --python-platform linux --only-binary :all: --generate-hashes \
		--no-annotate --custom-compile-command "make lock" -c requirements.txt requirements-image.in \
		-o requirements-image.txt
	@$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-annotate \
		--custom-compile-command "make lock" -c requirements.txt requirements-servicebus.in \
		-o requirements-servicebus.txt
	@$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-annotate \
		--custom-compile-command "make lock" --override requirements-deploy.overrides.txt requirements-deploy.in \
		-o requirements-deploy.txt

up: ## Start everything in containers, where a Docker engine is; make up BROKER=servicebus takes Microsoft's emulator
	@docker compose version >/dev/null 2>&1 || \
		{ echo "make up needs a Docker engine with Compose 2.24 or newer; without one: make run." >&2; exit 2; }
	@$(COMPOSE) up --build --detach $(ARGS)
	@echo "Dashboard http://127.0.0.1:8080/, ingest http://127.0.0.1:7071/docs, Grafana http://127.0.0.1:3000/; make logs"

down: ## Stop what `make up` started, and delete its data
	@$(COMPOSE) --profile servicebus down --volumes --remove-orphans $(ARGS)

logs: ## Follow the logs of what `make up` started; e.g. make logs ARGS=score
	@$(COMPOSE) --profile servicebus logs --follow --tail 100 $(ARGS)

train: ## Train the model; e.g. make train ARGS=--help
	@$(BOOTSTRAP) && $(BIN)/python -m ml train $(ARGS)

clean: ## Remove the virtual environment, caches and the tests' data; `make run`'s data stays
	@rm -rf .venv .venv-deploy .local-test .local-image .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

venv:
	@$(BOOTSTRAP)
