# Needs Python 3.11, make and git; everything else is installed into .venv.
PYTHON ?= python3.11
VENV   := .venv
# Stages run as `python -m nsnet.stages NAME`: the environment's python must come first.
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
export HF_HUB_OFFLINE ?= 1
export NO_MKDOCS_2_WARNING ?= 1

.DEFAULT_GOAL := help
.PHONY: help env repro repro-full repro-plug repro-conditions repro-real test faults bench docs serve night stop clean

help:  ## Show this help
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## */\1|/' | awk -F'|' '{printf "  make %-11s %s\n", $$1, $$2}'

env: $(VENV)/installed  ## Make the environment in .venv (about 4 minutes, 7 GB, once)

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

repro: env  ## Run the pipeline (dvc repro), print the leaderboard and where the tables are
	nsnet mend
	dvc repro
	nsnet leaderboard

repro-full: env  ## The same in full/ with LoRA on the lab CLIP, fourteen such detectors (about an hour)
	nsnet init full --profile full --update
	cd full && dvc config core.no_scm true && dvc repro && nsnet leaderboard

repro-plug: env  ## Plug and play: four kinds of detectors on the lab CLIP in plug/, a probe on EfficientNet in second/ (an hour)
	$(VENV)/bin/pip install --quiet --constraint constraints.txt --editable '.[dev,real]'
	for name in plug second; do \
	  nsnet init $$name --profile $$name --update && \
	  (cd $$name && dvc config core.no_scm true && dvc repro && nsnet leaderboard) || exit 1; done

repro-conditions: env  ## Pictures shown in 23 ways, in conditions/: what each costs, what training on it gains, what flips (a quarter of an hour)
	nsnet init conditions --profile conditions --update
	cd conditions && dvc config core.no_scm true && dvc repro && nsnet leaderboard

repro-real: env  ## Real pictures in real/: sd-samples, imagenet-sample-images and coco-mini below DATA (20 minutes)
	$(VENV)/bin/pip install --quiet --constraint constraints.txt --editable '.[dev,real]'
	nsnet init real --profile real-small --data "$(DATA)" --update
	cd real && dvc config core.no_scm true && dvc repro tables catalog && nsnet leaderboard

# Two cores: two workers of one thread each; a file's tests stay together, as they share what they set up.
# Eight bits have a process of their own: a worker that had run the suite so far and loaded OpenVINO ended without a word.
test: env  ## Run linter, type checker and tests
	ruff check
	ruff format --check
	mypy
	lint-imports
	OMP_NUM_THREADS=1 pytest tests/test_int8.py
	OMP_NUM_THREADS=1 pytest -n 2 --dist loadfile --ignore tests/test_int8.py

faults: env  ## Every fault in every stage, and docs/fault_matrix.md of what came of it (half an hour)
	OMP_NUM_THREADS=1 pytest -n 2 -m faults --junitxml .dvc/tmp/faults.xml; code=$$?; \
	python docs/fault_matrix.py .dvc/tmp/faults.xml && exit $$code

bench: env  ## Speed against named baselines, and docs/bench.md of it (9 to 14 minutes; after `make repro`)
	python bench/run.py

docs: env  ## Make the pages a site, in site/; warnings are errors
	mkdocs build --strict

serve: env  ## Start server, worker and deployment of the nightly evaluation on this machine
	python flows/serve.py start

night:  ## Run it once, now, and watch it (after `make serve`)
	$(VENV)/bin/python flows/serve.py run

stop:  ## Stop them
	python flows/serve.py stop

clean:  ## Remove what the pipeline made; DVC's cache, which brings it back, and the environment stay
	rm -rf lab data artifacts nsnet.duckdb site .dvc/tmp
