# docker build -t fkp .
# docker run --rm -v "$PWD:/data" -w /data fkp annotate photos/ --out results/
#
# Building runs make demo. pip installs PyTorch's default build; for the much smaller CPU build, name the index
# that has it: docker build --build-arg PIP_EXTRA_INDEX_URL=... -t fkp .
FROM python:3.13-slim

RUN apt-get update \
    && apt-get install -y --no-install-recommends make \
    && rm -rf /var/lib/apt/lists/*

ARG PIP_EXTRA_INDEX_URL
ENV PIP_NO_CACHE_DIR=1

WORKDIR /fkp
COPY pyproject.toml constraints.txt Makefile README.md LICENSE ./
COPY fkp/ fkp/
COPY sample_images/ sample_images/
RUN make demo && rm -rf results

ENTRYPOINT ["/fkp/.venv/bin/fkp"]
CMD ["--help"]
