#!/usr/bin/env bash
# Brings FraudSense to Azure: resources, image, charts, migration, roll-out, smoke test. Every step may be repeated.
#
# usage: deploy.sh --env dev|prod [--location REGION] [--rollout] [--digest sha256:…] [--yes] [--dry-run]
#        deploy.sh --env dev|prod --running
#        deploy.sh --env dev|prod --destroy [--yes] [--dry-run]
#
#   --location   where a new resource group is made; not needed afterwards
#   --rollout    leave resources and charts alone, as workflows do: only image, migration, roll-out, smoke test
#   --digest     roll out this image of the registry, the one before for instance, instead of building one
#   --yes        do not ask before resources are changed or deleted
#   --dry-run    print the commands instead of running them
#   --running    print the digest of the image that runs now, for going back to; nothing where nothing runs yet
#   --destroy    delete the resource group with all that is in it
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
chart_version=0.15.0

fail() {
    echo "deploy.sh: $1" >&2
    exit "${2:-1}"
}

# Before what an older one cannot even read.
[ "${BASH_VERSINFO[0]}" -ge 4 ] || fail "This bash is older than 4: on macOS, brew install bash." 2

step() {
    printf '\n== %s\n' "$1" >&2
}

# Run a command, or print it.
run() {
    if [ -n "$dry_run" ]; then
        printf '%q ' "$@" >&2
        echo >&2
    else
        "$@"
    fi
}

# The answer of a command; of one that is only printed, the first argument.
ask() {
    local example=$1
    shift
    if [ -n "$dry_run" ]; then
        run "$@"
        echo "$example"
    else
        "$@"
    fi
}

confirm() {
    [ -n "$yes$dry_run" ] && return
    local answer
    read -r -p "$1 [y/N] " answer
    [ "$answer" = y ] || fail "Nothing was changed."
}

read_arguments() {
    env='' location='' rollout='' digest='' yes='' dry_run='' running='' destroy=''
    while [ $# -gt 0 ]; do
        case $1 in
            --env | --location | --digest)
                [ $# -gt 1 ] || fail "$1 needs a value; see the head of this file." 2
                printf -v "${1#--}" %s "$2"
                shift 2
                ;;
            --rollout | --yes | --running | --destroy)
                printf -v "${1#--}" 1
                shift
                ;;
            --dry-run)
                dry_run=1
                shift
                ;;
            *) fail "What is $1? See the head of this file." 2 ;;
        esac
    done
    [ -f "$root/infra_bicep/$env.bicepparam" ] || fail "--env must be dev or prod, or another .bicepparam beside them." 2
    [ -z "$digest" ] || [[ $digest =~ ^sha256:[0-9a-f]{64}$ ]] || fail "--digest must be sha256: and 64 hex digits." 2
    group=rg-fraudsense-$env
    state=$root/.local-azure-$env
    [ -z "$dry_run" ] || use_passing_state
}

# What a run left behind stays as it is, for kubectl by hand among others, when the next one only prints.
use_passing_state() {
    state=$(mktemp -d)
    trap 'rm -rf "$state"' EXIT
}

need() {
    [ -n "$dry_run" ] || command -v "$1" > /dev/null || fail "$1 is missing: $2" 2
}

check_prerequisites() {
    need az "install the Azure CLI, https://learn.microsoft.com/cli/azure/install-azure-cli"
    [ -n "$dry_run" ] || az account show --output none || fail "Not signed in to Azure: run az login." 2
    [ -z "$destroy" ] || return 0
    need kubectl "run az aks install-cli"
    need kubelogin "run az aks install-cli; the cluster has no local accounts"
    [ -n "$rollout$running" ] || need helm "see https://helm.sh/docs/intro/install"
    [ -n "$dry_run" ] || [ -x "$root/.venv/bin/python" ] || fail "The virtual environment is missing: run make check." 2
}

# The start of an existing budget cannot be changed, so it is kept.
budget_start() {
    local errors=/dev/null
    [ -z "$dry_run" ] || errors=/dev/stderr
    ask 2026-01-01 az resource show --resource-group "$group" --resource-type Microsoft.Consumption/budgets \
        --name "budget-fraudsense-$env" --api-version 2023-11-01 \
        --query properties.timePeriod.startDate --output tsv 2> "$errors" || true
}

deploy_resources() {
    step "Resources of $group"
    local exists
    exists=$(ask false az group exists --name "$group")
    if [ "$exists" = false ]; then
        [ -n "$location" ] || fail "$group does not exist yet: say where with --location, such as westeurope." 2
        run az group create --name "$group" --location "$location" --output none
    fi
    OPERATOR_OBJECT_ID=${OPERATOR_OBJECT_ID:-$(ask 00000000-0000-0000-0000-000000000000 \
        az ad signed-in-user show --query id --output tsv)}
    BUDGET_START=$(budget_start)
    export OPERATOR_OBJECT_ID BUDGET_START
    local what=(--resource-group "$group" --name fraudsense --parameters "$root/infra_bicep/$env.bicepparam")
    run az deployment group what-if "${what[@]}"
    confirm "Make these changes?"
    run az deployment group create "${what[@]}" --output none
}

read_outputs() {
    step "Values for the manifests"
    mkdir -p "$state"
    rm -rf "$state/k8s"
    cp -R "$root/k8s" "$state/k8s"
    values=$state/k8s/overlays/azure/azure.env
    run az deployment group show --resource-group "$group" --name fraudsense --query properties.outputs --output json \
        > "$state/outputs.json"
    if [ -z "$dry_run" ]; then
        "$root/.venv/bin/python" "$root/infra_bicep/azure_env.py" "$root/k8s/overlays/azure/azure.env" \
            < "$state/outputs.json" > "$values"
    fi
    # shellcheck source=/dev/null
    . "$values"
}

# In the registry itself, so that no Docker engine is needed here.
build_image() {
    [ -z "$digest" ] || return 0
    step "Image"
    local tag registry=${ACR_LOGIN_SERVER%%.*}
    tag=$(git -C "$root" describe --always --dirty)
    run az acr build --registry "$registry" --image "fraudsense:$tag" --file "$root/Dockerfile" "$root"
    digest=$(ask "$IMAGE_DIGEST" az acr repository show --name "$registry" --image "fraudsense:$tag" \
        --query digest --output tsv)
}

# A file of its own: the one of whoever deploys stays as it is.
sign_in_to_cluster() {
    step "Cluster"
    export KUBECONFIG=$state/kubeconfig
    run az aks get-credentials --resource-group "$group" --name "aks-fraudsense-$env" --overwrite-existing \
        --file "$KUBECONFIG"
    run kubelogin convert-kubeconfig --login azurecli --kubeconfig "$KUBECONFIG"
}

# AKS brings KEDA, but not its HTTP add-on.
install_http_add_on() {
    step "KEDA HTTP add-on"
    local add_on=$root/infra_bicep/http-add-on extra=()
    [ ! -f "$add_on-$env.yaml" ] || extra=(--values "$add_on-$env.yaml")
    run helm upgrade --install http-add-on keda-add-ons-http --repo https://kedacore.github.io/charts \
        --version "$chart_version" --namespace keda --create-namespace \
        --values "$add_on.yaml" ${extra[@]+"${extra[@]}"} --wait --timeout 10m
}

roll_out() {
    step "Migration, then the doors"
    sed "s/^IMAGE_DIGEST=.*/IMAGE_DIGEST=$digest/" "$values" > "$values.new"
    mv "$values.new" "$values"
    run "$root/k8s/apply.sh" "$state/k8s/overlays/azure-$env"
}

# By the interceptor, as every request: the first one wakes what sleeps, a node too perhaps, which takes minutes.
smoke_test() {
    step "Smoke test"
    # shellcheck source=/dev/null
    . "$state/k8s/overlays/azure/hosts.env"
    local port=8080 forwarding
    if [ -z "$dry_run" ]; then
        coproc forward { exec kubectl port-forward --namespace keda service/keda-add-ons-http-interceptor-proxy :8080; }
        # shellcheck disable=SC2154  # coproc sets it
        trap 'kill "${forward_PID:-}" 2> /dev/null || true' EXIT
        read -r forwarding <&"${forward[0]}" || fail "kubectl port-forward ended: see above."
        port=${forwarding#*127.0.0.1:}
        port=${port%% *}
    fi
    run "$root/.venv/bin/python" "$root/infra_bicep/smoke_test.py" --ingest "http://$INGEST_HOST" \
        --alerts "http://$ALERTS_HOST" --through "127.0.0.1:$port" --seconds 600
}

deploy() {
    [ -n "$rollout" ] || deploy_resources
    read_outputs
    build_image
    sign_in_to_cluster
    [ -n "$rollout" ] || install_http_add_on
    roll_out
    smoke_test
    step "Done: $digest runs in $group"
}

print_running_digest() {
    mkdir -p "$state"
    sign_in_to_cluster >&2
    run kubectl get deployment score --namespace fraudsense --ignore-not-found \
        --output 'jsonpath={.spec.template.spec.containers[0].image}' | sed -n 's/.*@//p'
}

# A deleted vault keeps its name for 90 days unless it is purged; where purge protection is on, it cannot be.
destroy() {
    step "Deleting $group"
    confirm "Delete $group with its database, its models and everything else?"
    local vaults vault
    vaults=$(ask kv-example az keyvault list --resource-group "$group" --query '[].name' --output tsv)
    run az group delete --name "$group" --yes
    for vault in $vaults; do
        run az keyvault purge --name "$vault" || echo "deploy.sh: $vault stays until its time is over." >&2
    done
}

main() {
    read_arguments "$@"
    check_prerequisites
    if [ -n "$destroy" ]; then
        destroy
    elif [ -n "$running" ]; then
        print_running_digest
    else
        deploy
    fi
}

main "$@"
