# The container image of Certimix (docs/guides/container.md). For the CPU:
#
#   docker build -t certimix .
#
# and for NVIDIA GPUs:
#
#   docker build -t certimix:cuda --build-arg ORT_PACKAGE=onnxruntime-gpu \
#     --build-arg RUNTIME_IMAGE=docker.io/nvidia/cuda:13.0.1-cudnn-runtime-ubuntu24.04 .

# Debian 12: its glibc is no newer than that of the images in which the binary runs.
ARG RUST_IMAGE=docker.io/library/rust:1.95-bookworm
# glibc 2.36 or later, libstdc++, libgcc_s. It needs no shell.
ARG RUNTIME_IMAGE=gcr.io/distroless/cc-debian12:nonroot


# ---- programs that only the build uses
FROM ${RUST_IMAGE} AS tools
ARG CARGO_AUDITABLE_VERSION=0.7.7
ARG CARGO_ABOUT_VERSION=0.9.3
RUN cargo install --locked --root /tools "cargo-auditable@${CARGO_AUDITABLE_VERSION}" \
 && cargo install --locked --root /tools --features cli "cargo-about@${CARGO_ABOUT_VERSION}"


# ---- ONNX Runtime, from its wheel
FROM ${RUST_IMAGE} AS onnxruntime
# pip knows the index of this build: --build-arg PIP_INDEX_URL=... names a mirror. Neither pip nor Python is in the image.
ARG PIP_INDEX_URL
# Debian removes old versions of a package, so a pinned one would break the build.
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install -y --no-install-recommends python3-pip \
 && rm -rf /var/lib/apt/lists/*
COPY scripts/fetch_onnxruntime.py /scripts/
ARG ORT_PACKAGE=onnxruntime
RUN python3 /scripts/fetch_onnxruntime.py --package "${ORT_PACKAGE}" --into /onnxruntime


# ---- the dependencies: this layer is built again only if Cargo.toml or Cargo.lock changes
FROM ${RUST_IMAGE} AS build
WORKDIR /build
COPY --from=tools /tools/bin/ /usr/local/cargo/bin/
COPY Cargo.toml Cargo.lock ./
COPY clients/rust/Cargo.toml clients/rust/
# A crate without code has the same dependencies. The manifest loses its benchmarks, whose files cargo would look for.
RUN mkdir -p src clients/rust/src \
 && awk 'BEGIN { RS = ""; ORS = "\n\n" } !/\[\[bench\]\]/' Cargo.toml > Cargo.toml.new \
 && mv Cargo.toml.new Cargo.toml \
 && echo 'fn main() {}' > build.rs \
 && cp build.rs src/main.rs \
 && touch src/lib.rs clients/rust/src/lib.rs \
 && cargo auditable build --release --locked --bin certimix
# The licences of the crates in the binary.
COPY about.toml ./
COPY deploy/image/licenses.hbs deploy/image/
RUN cargo fetch --locked \
 && cargo about generate --locked --offline --fail --output-file /licenses.txt deploy/image/licenses.hbs

# ---- the server
COPY build.rs ./
COPY proto proto
COPY src src
# A file of the repository may be older than the empty one that it replaces. cargo compares times.
RUN touch build.rs src/main.rs src/lib.rs \
 && cargo auditable build --release --locked --bin certimix


# ---- the image
FROM ${RUNTIME_IMAGE}
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Certimix" \
      org.opencontainers.image.description="A gRPC inference server that mixes an accurate and a robust classifier and certifies every answer" \
      org.opencontainers.image.source="https://github.com/certimix/certimix" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"

COPY LICENSE-APACHE LICENSE-MIT NOTICE /licenses/
COPY src/evaluation/report/page/vendor/LICENSES.txt /licenses/report-page.txt
COPY --from=build /licenses.txt /licenses/crates.txt
COPY --from=onnxruntime /onnxruntime/LICENSE /onnxruntime/ThirdPartyNotices.txt /licenses/onnxruntime/
# The metadata of the wheel beside the library: scanners of images know the package by it.
COPY --from=onnxruntime /onnxruntime/*.so /usr/local/lib/onnxruntime/
COPY --from=onnxruntime /onnxruntime/*.dist-info/ /usr/local/lib/onnxruntime/onnxruntime.dist-info/
COPY models/cifar10 /opt/certimix/models/cifar10
COPY deploy/image/certimix.toml /etc/certimix/certimix.toml
COPY --from=build /build/target/release/certimix /usr/local/bin/certimix

# A variable overrides a key of the settings file. The addresses belong to the image: any settings file works in it.
ENV CERTIMIX_CONFIG=/etc/certimix/certimix.toml \
    CERTIMIX__RUNTIME__LIBRARY=/usr/local/lib/onnxruntime/libonnxruntime.so \
    CERTIMIX__SERVER__LISTEN=0.0.0.0:50051 \
    CERTIMIX__METRICS__LISTEN=0.0.0.0:9464
EXPOSE 50051 9464
WORKDIR /opt/certimix
# Numbers: Kubernetes cannot tell whether a name is root (runAsNonRoot).
USER 65532:65532
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 CMD ["certimix", "health", "--deadline", "4s"]
ENTRYPOINT ["certimix"]
CMD ["serve"]
