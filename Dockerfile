# syntax=docker/dockerfile:1
# The command in a small image:
#   docker build --tag vsr-train .
#   docker run --rm vsr-train demo
#   docker run --rm --volume "$PWD:/data" vsr-train train --data-file records.jsonl --use-fallback
#   docker run --rm --volume "$PWD:/data" --publish 8790:8790 --env VSR_SERVE_KEY vsr-train serve --host 0.0.0.0

FROM rust:1-slim-bookworm AS build
RUN apt-get update \
    && apt-get install --yes --no-install-recommends python3 python3-venv \
    && rm -rf /var/lib/apt/lists/*
RUN python3 -m venv /maturin && /maturin/bin/pip install --no-cache-dir 'maturin>=1.9,<2'
WORKDIR /source
COPY Cargo.toml Cargo.lock pyproject.toml README.md LICENSE ./
COPY rust ./rust
COPY python ./python
# abi3: the wheel serves every Python from 3.11 on, so the two stages need not have the same one.
RUN /maturin/bin/maturin build --release --out /wheels

FROM python:3.13-slim-bookworm
COPY --from=build /wheels /wheels
RUN pip install --no-cache-dir "$(echo /wheels/*.whl)[serve]" && rm -rf /wheels
RUN useradd --create-home vsr && mkdir /data && chown vsr /data
USER vsr
WORKDIR /data
EXPOSE 8790
ENTRYPOINT ["vsr-train"]
CMD ["--help"]
