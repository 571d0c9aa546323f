# One image for ingest and score (the Functions host, its own command) and for alerts and the jobs (another command).
# BASE_IMAGE can be another Debian with Python 3.13, as `make image-test` does.
ARG BASE_IMAGE=mcr.microsoft.com/azure-functions/python:4-python3.13

FROM ${BASE_IMAGE} AS packages
COPY requirements-image.txt /
RUN python -m pip install --no-cache-dir --disable-pip-version-check --root-user-action ignore --no-deps \
        --require-hashes --only-binary :all: --target /packages --requirement /requirements-image.txt \
    && find /packages -type d -name tests -prune -exec rm -rf {} +

FROM ${BASE_IMAGE} AS app
WORKDIR /app
COPY . .
# The root will be read-only: what is not compiled here would be compiled at every start.
RUN rm requirements-image.txt \
    && python -m compileall -q --invalidation-mode unchecked-hash . \
    && chmod -R a=rX,u+w .

FROM ${BASE_IMAGE}
ARG BASE_IMAGE
ARG VERSION=0.0.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="FraudSense" \
      org.opencontainers.image.description="Real-time card fraud detection: HTTP to queue to score to alert" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.base.name="${BASE_IMAGE}"

# The Functions host keeps its keys in its own folder, whatever HOME says: with a read-only root each of the three
# folders, and /tmp, needs a writable volume. Nothing here needs a program that changes its user.
RUN install --directory --owner 10001 --group 10001 /home/LogFiles /home/data /azure-functions-host/Secrets \
    && find / -xdev -type f -perm /6000 -exec chmod a-s {} +

# The packages are where the Functions host's Python worker looks for those of the app. How the host keeps its keys
# is no secret, whatever the linter thinks of the name. Without draining the host ends before the batch in hand.
# hadolint ignore=DL3064
ENV ASPNETCORE_URLS=http://+:8080 \
    AzureWebJobsScriptRoot=/home/site/wwwroot \
    AzureWebJobsSecretStorageType=files \
    AzureFunctionsJobHost__Logging__Console__IsEnabled=true \
    FUNCTIONS_ENABLE_DRAIN_ON_APP_STOPPING=true \
    FUNCTIONS_WORKER_RUNTIME=python \
    FRAUDSENSE_DATA_DIR=/home/data \
    FRAUDSENSE_SCORE_HOST=0.0.0.0 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONPATH=/home/site/wwwroot/.python_packages/lib/site-packages \
    PYTHONUNBUFFERED=1

WORKDIR /home/site/wwwroot
COPY --from=packages /packages .python_packages/lib/site-packages
COPY --from=app /app .

USER 10001:10001
EXPOSE 8080 7072
# Not the base image's script around it, which keeps SIGTERM to itself and writes into the root.
CMD ["/azure-functions-host/Microsoft.Azure.WebJobs.Script.WebHost"]
