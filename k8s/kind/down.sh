#!/usr/bin/env bash
# Removes the kind cluster of up.sh, with its data.
set -euo pipefail
cd "$(dirname "$0")/../.."

export KUBECONFIG="$PWD/.local/kind/kubeconfig"
kind delete cluster --name fraudsense
