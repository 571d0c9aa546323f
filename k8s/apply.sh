#!/usr/bin/env bash
# Rolls an overlay out in the order it needs: what the doors stand on, then the schema, then the doors.
# usage: k8s/apply.sh FOLDER, against the cluster that kubectl is set to
set -euo pipefail

if [ $# -ne 1 ] || [ ! -f "$1/kustomization.yaml" ]; then
    echo "usage: k8s/apply.sh FOLDER, one with a kustomization.yaml such as k8s/overlays/local" >&2
    exit 2
fi

objects=$(mktemp)
trap 'rm -f "$objects"' EXIT
kubectl kustomize "$1" > "$objects"

setup=app.kubernetes.io/component=setup

# A Job cannot be changed, only made anew.
kubectl delete jobs --namespace fraudsense --selector "$setup" --ignore-not-found
kubectl apply --filename "$objects" --selector 'app.kubernetes.io/name notin (ingest, score, alerts)'

if ! kubectl wait jobs --namespace fraudsense --selector "$setup" --for condition=Complete --timeout 10m; then
    kubectl logs --namespace fraudsense --selector "$setup" --prefix --tail 20 >&2 || true
    echo "The schema is not up to date, so the doors were left as they are: mend what is said above and apply again." >&2
    exit 1
fi

kubectl apply --filename "$objects"
for door in ingest score alerts; do
    kubectl rollout status "deployment/$door" --namespace fraudsense --timeout 5m
done
