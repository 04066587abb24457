# make demo: keypoints on the sample pictures. make test: the test suite. Both install first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# Not --quiet, with which --strict finds nothing.
SITE := NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

.PHONY: setup demo test test-opencv4 test-opencv5 lint format docs cover bench dist dist-check stress \
	weights clean

setup: $(READY)

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; assert sys.version_info >= (3, 11)' 2>/dev/null || \
		{ echo "fkp needs Python 3.11 or newer; say which: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || \
		{ echo "Python's venv is missing; on Debian: apt install python3-venv"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet -c constraints.txt -e '.[dev]'
	@touch $@

demo: $(READY)
	$(BIN)/fkp annotate sample_images/ --out results/ --overwrite
	$(BIN)/fkp video sample_images/clip.mp4 --out results/clip/ --overwrite
	@echo
	@echo "Open results/index.html and results/clip/index.html in a browser;"
	@echo "the tables are results/keypoints.csv and results/clip/keypoints.csv"

test: $(READY)
	$(BIN)/python -m pytest -n 2

# The tests under the newest OpenCV of a main version, which stands in front of the installed one.
test-opencv4 test-opencv5: test-opencv%: $(READY)
	$(BIN)/pip install --quiet --upgrade --no-deps --target build/opencv$* 'opencv-python-headless==$*.*'
	PYTHONPATH=build/opencv$* $(BIN)/python -m pytest -n 2

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python docs/pages.py --check
	$(SITE)

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# The pages that are generated, and the site in build/site.
docs: $(READY)
	$(BIN)/python docs/pages.py
	$(SITE)

cover: $(READY)
	$(BIN)/python -m pytest --cov=fkp --cov-report=term

# A wheel and an sdist, with the networks in them; dist-check installs each and uses it.
dist: $(READY)
	rm -rf dist
	$(BIN)/python -m build --no-isolation
	$(BIN)/twine check --strict dist/*

dist-check: dist
	$(BIN)/python -m tests.release.install dist --python $(PYTHON)

# Broken files, kills, full disks, many runs at once; then a fault at every change of a file.
stress: $(READY)
	$(BIN)/python -m tests.release.stress
	FKP_FAULTS=all $(BIN)/python -m pytest -q tests/faults

# Speeds as ratios; also against MediaPipe: make bench PEERS=PYTHON, of an environment that has it.
bench: $(READY)
	$(BIN)/python -m tests.benchmarks.all $(if $(PEERS),--peers $(PEERS))

# Both bundled networks from scratch; hours on two cores. A stopped run goes on.
weights: $(READY)
	@test -n "$(DATA)" || { echo "say where the data is: make weights DATA=folder"; exit 1; }
	$(BIN)/pip install --quiet -c constraints.txt -e '.[onnx]'
	$(BIN)/python -m fkp.bundled.make $(DATA)

clean:
	rm -rf $(VENV) build dist results *.egg-info
