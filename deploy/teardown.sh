#!/usr/bin/env bash
# Removes what deploy/azure.sh has made: the resource group with the app, its plan, its Application
# Insights with their log, the storage account, and with them all stock and reservations. The role
# assignments end with the account.
#
#   deploy/teardown.sh --name APP [--group GROUP] [--yes] [--dry-run]
#
# GROUP is by default the one that the app is in. Asks for the app's name before it removes
# anything; --yes does not ask. A group that azure.sh has not made is left alone.
set -euo pipefail
# shellcheck source=deploy/common.sh
. "$(dirname "$0")/common.sh"

name=
group=
sure=false
while [ $# -gt 0 ]; do
    case $1 in
    --yes) sure=true ;;
    --dry-run) dry_run=true ;;
    --name | --group)
        [ $# -ge 2 ] || die "$1 wants a value"
        if [ "$1" = --name ]; then name=$2; else group=$2; fi
        shift
        ;;
    *) die "unknown option: $1 (usage: deploy/teardown.sh --name APP [--group GROUP] [--yes] [--dry-run])" ;;
    esac
    shift
done
check_app_name "$name"
check_group_name "${group:-$name}"
if [ -z "$group" ]; then
    group=$(where_is "$name")
    group=${group%%$'\t'*}
    group=${group:-$name}
fi

if ! $dry_run; then
    if ! own_group_exists "$group" "$name"; then
        echo "there is no resource group $group: nothing to remove"
        exit
    fi
    if ! $sure; then
        echo "This removes for ever, with all stock and reservations:"
        look_up az resource list --resource-group "$group" --query "[].[type,name]" --output tsv
        read -rp "The app's name, if that is what you want: " answer
        [ "$answer" = "$name" ] || die "that is not its name; nothing was removed"
    fi
fi
change az group delete --name "$group" --yes
