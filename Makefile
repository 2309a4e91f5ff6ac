# The two commands are `make deploy` and `make test`. Extra arguments for ansible-playbook go into ARGS:
#   make deploy ARGS='-e orthweb_server_name=pacs.clinic.example'
# and where to deploy into INVENTORY: inventory/local (this machine), inventory/aws, or one of your own.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
COLLECTION := $(VENV)/collections/ansible_collections/cellcs/orthweb
ORTHWEB_STACK ?= orthweb
ORTHWEB_STATE_ROOT ?= $(HOME)/.orthweb
export ORTHWEB_STACK ORTHWEB_STATE_ROOT
# Where it is set, pytest rewrites the assertions of every file anew, which takes it some seconds more.
unexport PYTHONDONTWRITEBYTECODE
# The tests look into containers and take ports: they need root, as the deployment does.
SUDO := $(if $(filter 0,$(shell id -u)),,sudo --preserve-env)
INVENTORY ?= inventory/local
# An inventory that cannot be read (no credentials, no region) is an error, not an empty list of hosts.
PLAYBOOK = ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED=True $(VENV)/bin/ansible-playbook --inventory $(INVENTORY)

# Three processes, also on two cores, as much of a test is waiting: the stack of tests/integration, the simulated AWS, all others.
BESIDE_EACH_OTHER ?= --numprocesses 3 --no-loadscope-reorder
# One more than there are processors, as some of the unit tests wait for a peer or for a program.
UNIT_PROCESSES ?= $(shell echo $$(($$(getconf _NPROCESSORS_ONLN) + 1)))

.PHONY: help venv venv-test plan deploy compose policy verify reconcile backup backup-status drill restore upgrade patch rotate audit bundle reset-account password-link sessions outputs timer timer-off adopt teardown save-images rehearse test test-unit test-long lint lint-python lint-ansible lint-shell lint-docs lint-package sanity docs release benchmark benchmark-ingest benchmark-backup benchmark-modules benchmark-aws

help: ## List the targets
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 27

venv: $(VENV)/.runtime $(COLLECTION) ## Create the Python environment in .venv
venv-test: venv $(VENV)/.test

$(VENV)/.runtime: requirements.txt
	@tools/make_venv.sh $(PYTHON) $(VENV)
	@echo "Installing Ansible and the DICOM libraries into $(VENV) (about a minute) ..."
	@$(VENV)/bin/pip install --quiet --requirement requirements.txt
	@touch $@

$(VENV)/.test: requirements-test.txt $(VENV)/.runtime
	@echo "Installing the test tools into $(VENV) (about 30 seconds) ..."
	@$(VENV)/bin/pip install --quiet --requirement requirements-test.txt
	@touch $@

$(COLLECTION):
	@mkdir -p $(@D)
	@ln -sfn $(CURDIR) $@

deploy: venv ## Deploy the archive, or bring it up to date
	$(PLAYBOOK) playbooks/deploy.yml $(ARGS)

# Without the log of the tasks; with ARGS=-v, it comes before the plan.
QUIETLY = $(if $(filter -v -vv -vvv -vvvv --verbose,$(ARGS)),,\
  ANSIBLE_STDOUT_CALLBACK=cellcs.orthweb.plan_only ANSIBLE_CALLBACKS_ENABLED=cellcs.orthweb.plan \
  ANSIBLE_HOST_PATTERN_MISMATCH=ignore ANSIBLE_DEPRECATION_WARNINGS=False)

plan: venv ## Show what deploy would change and the AWS costs; exit code 2: changes
	@$(QUIETLY) $(PLAYBOOK) playbooks/plan.yml --check --diff $(ARGS)

compose: venv ## Write a compose file with all it needs, to run without Ansible
	$(PLAYBOOK) playbooks/compose.yml $(ARGS)

policy: venv ## Write the IAM policies of a deployer on AWS (STACK=clinic; ARGS=--help)
	@$(VENV)/bin/python tools/iam_policy.py --stack '$(or $(STACK),$(ORTHWEB_STACK))' $(ARGS)

verify: venv ## Check that the archive works and refuses what it should
	$(PLAYBOOK) playbooks/verify.yml $(ARGS)

reconcile: venv ## Compare the index with all images; exit code 2: they differ
	$(PLAYBOOK) playbooks/reconcile.yml $(ARGS)

backup: venv ## Back up the embedded database now (TYPE=full, diff or incr)
	$(PLAYBOOK) playbooks/backup.yml $(if $(TYPE),--extra-vars backup_type=$(TYPE)) $(ARGS)

backup-status: venv ## Show how the backups are; fails if something is wrong
	$(PLAYBOOK) playbooks/backup_status.yml $(ARGS)

drill: venv ## Restore the newest backup aside, and compare each image
	$(PLAYBOOK) playbooks/drill.yml $(ARGS)

# INTO names another stack: it gets the backup of this one.
restore: venv ## Restore the embedded database (TO=moment FROM=repository INTO=stack)
	ORTHWEB_STACK='$(or $(INTO),$(ORTHWEB_STACK))' $(PLAYBOOK) playbooks/restore.yml --extra-vars backup_restore_of='$(ORTHWEB_STACK)' \
	  $(if $(TO),--extra-vars '{"backup_restore_to": "$(TO)"}') $(if $(FROM),--extra-vars backup_restore_from='$(FROM)') $(ARGS)

upgrade: venv ## Bring the archive to this version, from a backup that was tried
	$(PLAYBOOK) playbooks/upgrade.yml $(ARGS)

patch: venv ## Build security updates into the images; roll back if the checks fail
	$(PLAYBOOK) playbooks/patch.yml $(ARGS)

rotate: venv ## Set new passwords of the database's users
	$(PLAYBOOK) playbooks/rotate.yml $(ARGS)

audit: venv ## Ask who saw and did what (ARGS='--study UID'; --help)
	@$(VENV)/bin/python -m tools.audit --inventory '$(INVENTORY)' $(ARGS)

bundle: venv ## Hand over a modality's certificate by a link (ARGS='--modality ct-1')
	@$(VENV)/bin/python -m tools.bundle --inventory '$(INVENTORY)' $(ARGS)

reset-account: venv ## Remove second factor, lock and own password of an account
	$(PLAYBOOK) playbooks/reset_account.yml $(ARGS)

password-link: venv ## Print a link to choose a new password (ARGS='-e orthweb_account=NAME')
	$(PLAYBOOK) playbooks/password_link.yml $(ARGS)

sessions: venv ## List who is logged in, or log an account out (ARGS='-e orthweb_end_sessions=NAME')
	$(PLAYBOOK) playbooks/sessions.yml $(ARGS)

# Once a week, with the same INVENTORY and ARGS as make deploy. A failure is in the journal and in make verify; with MAIL, it is sent.
RENEWAL = $(VENV)/bin/python tools/renewal.py $(1) --stack '$(ORTHWEB_STACK)' --state-root '$(ORTHWEB_STATE_ROOT)'

timer: venv ## Run deploy once a week, which renews the certificates (MAIL=...)
	@$(call RENEWAL,install) --inventory '$(INVENTORY)' --mail '$(MAIL)' --arguments="$$RENEWAL_ARGUMENTS"

timer-off: venv ## Renew nothing automatically any more
	@$(call RENEWAL,remove)

timer: export RENEWAL_ARGUMENTS = $(ARGS)

outputs: ## Print where everything is, as JSON (make -s outputs)
	@cat $(ORTHWEB_STATE_ROOT)/$(ORTHWEB_STACK)/outputs.json 2>/dev/null || { \
	  echo "Nothing is deployed under the name $(ORTHWEB_STACK) from this machine: run 'make deploy'." >&2; exit 1; }

adopt: venv ## On AWS: bring certificates, keys and passwords to this controller
	$(PLAYBOOK) playbooks/adopt.yml $(ARGS)

teardown: venv ## Remove the archive and all its images; asks for the stack's name
	$(PLAYBOOK) playbooks/teardown.yml $(ARGS)

save-images: venv ## Save the container images to a tarball for hosts without a network
	$(PLAYBOOK) playbooks/save_images.yml $(ARGS)

rehearse: venv-test ## Rehearse plan, deploy, teardown and restore on a simulated AWS
	$(VENV)/bin/ansible-playbook rehearsal/prepare.yml
	$(SUDO) $(VENV)/bin/python -m rehearsal $(ARGS)

test: venv-test ## Run the whole test suite on this machine
	$(PLAYBOOK) tests/prepare.yml
	$(SUDO) $(VENV)/bin/python -m pytest $(BESIDE_EACH_OTHER) $(PYTEST_ARGS)

test-unit: venv-test ## Run the fast unit tests, which need neither root nor Docker
	$(VENV)/bin/python -m pytest tests/unit --numprocesses $(UNIT_PROCESSES) --dist worksteal -m "not engine and not slow" \
	  --hypothesis-profile quick $(PYTEST_ARGS)

test-long: venv-test ## Run the tests that take minutes each: versions, storages, updates
	$(PLAYBOOK) tests/prepare.yml
	$(SUDO) $(VENV)/bin/python -m pytest -m long $(PYTEST_ARGS)

release: venv-test ## Make a release of the collection in this clone (VERSION=1.2.0)
	@PATH=$(CURDIR)/$(VENV)/bin:$$PATH python -m tools.release '$(VERSION)'

benchmark: venv-test ## Measure the archive that runs here (benchmarks/README.md)
	$(VENV)/bin/python -m benchmarks.c_store_tls
	$(VENV)/bin/python -m benchmarks.c_store_audit
	$(VENV)/bin/python -m benchmarks.door_under_attack
	$(VENV)/bin/python -m benchmarks.portal_wado
	$(VENV)/bin/python -m benchmarks.portal_relay
	$(VENV)/bin/python -m benchmarks.portal_viewer
	$(VENV)/bin/python -m benchmarks.portal_gate
	$(VENV)/bin/python -m benchmarks.portal_handshakes
	$(VENV)/bin/python -m benchmarks.deploy

# A second stack, with its images in files, on ports of its own; it stays (make teardown ORTHWEB_STACK=files).
FILES_STACK = -e orthweb_storage=filesystem -e orthweb_dicom_port=11113 -e orthweb_portal_port=444 -e orthweb_orthanc_port=8043

benchmark-ingest: venv-test ## Measure how fast images are stored, in the database and in files
	$(MAKE) --no-print-directory deploy
	$(MAKE) --no-print-directory deploy ORTHWEB_STACK=files ARGS='$(FILES_STACK)'
	$(VENV)/bin/python -m benchmarks.ingest

# A third stack, which archives nothing, on ports of its own; it stays (make teardown ORTHWEB_STACK=unarchived).
UNARCHIVED_STACK = -e orthweb_dicom_port=11114 -e orthweb_portal_port=445 -e orthweb_orthanc_port=8044
REPOSITORY = /var/tmp/orthweb-benchmark-repository
ARCHIVED = -e '{"orthweb_backup_repositories": [{"name": "folder", "type": "folder", "path": "$(REPOSITORY)"}]}'

benchmark-backup: venv-test ## Measure backups, drills and restores, and what archiving costs
	$(SUDO) install --directory --owner 5432 --group 5432 --mode 0700 $(REPOSITORY)
	$(PLAYBOOK) playbooks/deploy.yml $(ARCHIVED)
	$(MAKE) --no-print-directory deploy ORTHWEB_STACK=unarchived ARGS='$(UNARCHIVED_STACK)'
	$(VENV)/bin/python -m benchmarks.backup --arguments="$$ARCHIVED"

benchmark-backup: export ARCHIVED := $(ARCHIVED)

benchmark-modules: venv-test ## Measure the modules, which need no archive
	$(VENV)/bin/python -m benchmarks.pki
	$(VENV)/bin/python -m benchmarks.dicom_echo
	$(VENV)/bin/python -m benchmarks.dicom_store

benchmark-aws: venv-test ## Measure provisioning on a simulated AWS
	$(VENV)/bin/python -m benchmarks.aws
	$(VENV)/bin/python -m benchmarks.aws_overlap

lint: venv-test ## Run all linters (lint-python, lint-ansible, ...) and the sanity tests
	@$(MAKE) --no-print-directory --jobs 2 --output-sync=target --keep-going \
	  sanity lint-ansible lint-package lint-docs lint-python lint-shell

lint-python: venv-test
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy plugins

lint-ansible: venv-test
	$(VENV)/bin/yamllint .
	$(VENV)/bin/ansible-lint --offline

lint-shell: venv-test
	tools/lint_shell.sh

lint-docs: venv-test
	$(VENV)/bin/antsibull-changelog lint
	tools/lint_docs.sh

lint-package: venv-test
	tools/lint_package.sh

sanity: venv-test ## Run ansible-test sanity with each ansible-core for this Python
	tools/sanity_matrix.sh $(ARGS)

docs: venv-test ## Build the documentation site in .cache/docs/html
	tools/build_docs.sh
