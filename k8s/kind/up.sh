#!/usr/bin/env bash
# FraudSense in a kind cluster on this machine: makes the cluster, builds and loads the image, installs KEDA, applies the overlay.
set -euo pipefail
cd "$(dirname "$0")/../.."

KEDA=2.20.2
HTTP_ADD_ON=0.15.0
CHARTS=https://kedacore.github.io/charts
IMAGE=localhost/fraudsense:local

missing=()
for program in docker kind kubectl helm; do
    command -v "$program" > /dev/null || missing+=("$program")
done
if [ ${#missing[@]} -gt 0 ]; then
    echo "This needs ${missing[*]}, which it does not install: see https://kind.sigs.k8s.io and https://helm.sh." >&2
    exit 2
fi
if ! docker info > /dev/null 2>&1; then
    echo "No Docker engine answers: start it, or log in as a user who may use it." >&2
    exit 2
fi

# A file of its own, so that no other cluster is touched.
export KUBECONFIG="$PWD/.local/kind/kubeconfig"
mkdir -p "$(dirname "$KUBECONFIG")"
if kind get clusters 2> /dev/null | grep -qx fraudsense; then
    existed=yes
    kind export kubeconfig --name fraudsense
else
    existed=no
    kind create cluster --config k8s/kind/cluster.yaml --wait 2m
fi

docker build --tag "$IMAGE" .
kind load docker-image "$IMAGE" --name fraudsense

helm upgrade --install keda keda --repo "$CHARTS" --version "$KEDA" \
    --namespace keda --create-namespace --wait --timeout 5m
helm upgrade --install http-add-on keda-add-ons-http --repo "$CHARTS" --version "$HTTP_ADD_ON" \
    --namespace keda --wait --timeout 5m

k8s/apply.sh k8s/overlays/local
if [ "$existed" = yes ]; then
    # The new image has the old one's name.
    kubectl rollout restart deployment --namespace fraudsense
fi

cat <<'TEXT'
FraudSense is up. To reach it, leave this running in another terminal:

    KUBECONFIG=.local/kind/kubeconfig kubectl port-forward --namespace keda service/keda-add-ons-http-interceptor-proxy 8080

Then the dashboard is at http://alerts.localhost:8080, and ingest at http://ingest.localhost:8080 (curl needs
--header 'Host: ingest.localhost' and http://127.0.0.1:8080 where it does not know names under localhost).
The first request of each waits for a start. `make kind-down` removes the cluster with all that is in it.
TEXT
