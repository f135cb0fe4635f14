#!/usr/bin/env bash
# Brings Leasehold to Azure: a resource group with a storage account without keys, a function app
# that has an identity of its own, what that identity may do, settings, and the package.
# docs/deploy.md explains the commands that it runs.
#
# What is there already is left alone: run it again after a failure and it goes on, run it again
# after success and it changes nothing, run it with a new package and it publishes that. An option
# that is left out then means: as it is.
set -euo pipefail
cwd=$PWD
cd "$(dirname "$0")/.."
# shellcheck source=deploy/common.sh
. deploy/common.sh

usage() {
    cat <<'USAGE'
usage: deploy/azure.sh --name APP [OPTION...]

  --name APP            the function app, and its part of https://APP.azurewebsites.net: unique in the world
  --setting NAME=VALUE  an app setting, as often as you like; "Inventory:SeedProducts=PROD-001=100", ...
  --package FILE        what is published (by default: dist/leasehold.zip, which `make package` makes)
  --dry-run             call nothing; print the commands of a first run, as they can be pasted. The value of a --setting is
                        never shown, since it may be a secret: set the shell variable that stands in its place

What a first run decides; a later one may leave it out, and cannot change it:
  --location REGION     westeurope, eastus, ...: the one that must be given
  --group GROUP         the resource group, which becomes the app's own (by default: APP)
  --storage ACCOUNT     the storage account, unique in the world (by default: APP without its hyphens)
  --plan PLAN           flex (by default), premium or consumption

Needs the Azure CLI 2.60 or newer, and `az login` before.
USAGE
}

name=
location=
group=
storage=
plan=
package=dist/leasehold.zip
settings=()
declare -A current
app=          # the app's id, if it was there before
group_exists=false
keys_allowed= # whether the storage account's keys may be used
principal=    # the app's identity
scope=        # the storage account's id
site=         # the app's id
sum=          # the package's checksum
folder=       # where the package is unpacked

# Takes a setting as the documents write it; Azure wants __ for each colon, and of other characters
# . and _ alone (https://learn.microsoft.com/azure/app-service/configure-common). Its value may be a
# secret and is shown nowhere, and neither is a text without a name.
add_setting() {
    local key=${1%%=*} number=$((${#settings[@]} + 1)) variable
    [[ $1 == *=* ]] || die "--setting number $number is not NAME=VALUE (it is not shown: it may be a secret)"
    [[ $key =~ ^[A-Za-z][A-Za-z0-9_.]*(:[A-Za-z0-9_.]+)*$ ]] ||
        die "--setting number $number has a NAME that Azure does not take: it is of A-Z a-z 0-9 _ . and :, a letter first"
    key=${key//:/__}
    variable=${key//./_}
    settings+=("$key=${1#*=}")
    shown_as["$key=${1#*=}"]="$key=\"\$$variable\""
}

read_options() {
    while [ $# -gt 0 ]; do
        case $1 in
        --dry-run) dry_run=true ;;
        --help) usage && exit ;;
        --name | --location | --group | --storage | --plan | --package | --setting)
            [ $# -ge 2 ] || die "$1 wants a value"
            case $1 in
            --name) name=$2 ;;
            --location) location=$2 ;;
            --group) group=$2 ;;
            --storage) storage=$2 ;;
            --plan) plan=$2 ;;
            --package) if [[ $2 == /* ]]; then package=$2; else package=$cwd/$2; fi ;;
            --setting) add_setting "$2" ;;
            esac
            shift
            ;;
        --*) die "unknown option: ${1%%=*} (--help lists them; a value stands behind a space)" ;;
        *) die "an argument belongs to no option (--help lists them; it is not shown: it may be a secret)" ;;
        esac
        shift
    done
}

check_options() {
    check_app_name "$name"
    check_group_name "${group:-$name}"
    check_name --location "$location" '[a-z0-9]*' "a region's short name, like westeurope (az account list-locations)"
    check_name --storage "$storage" '([a-z0-9]{3,24})?' "3 to 24 of a-z and 0-9"
    check_name --plan "$plan" '(flex|premium|consumption)?' "flex, premium or consumption"
    check_name --package "$package" '.*\.zip' "a .zip"
    $dry_run || [ -f "$package" ] || die "there is no $package: \`make package\` makes it"
}

# The Azure CLI is there, new enough and logged in.
check_az() {
    local version
    $dry_run && return
    command -v az >/dev/null || die "the Azure CLI is not there: https://learn.microsoft.com/cli/azure/install-azure-cli"
    version=$(az version --query '"azure-cli"' --output tsv)
    printf '2.60.0\n%s\n' "$version" | sort --check=quiet --version-sort || die "this is Azure CLI $version: 2.60 is needed"
    az account show --output none || die "not logged in: run az login, and az account set --subscription where you have several"
}

# Takes for the option $1 what the app has, $2, if that is known. One that asks for something else
# ends the program: neither an app nor its stock would move.
adopt() {
    local -n asked=$1
    asked=${asked:-$2}
    [ -z "$2" ] || [ "${asked,,}" = "${2,,}" ] || die "--$1 is $asked, but $name has $2, and that stays"
}

# Reads the app's settings into `current`.
read_settings() {
    local key value settings
    current=()
    settings=$(look_up az functionapp config appsettings list --resource-group "$group" --name "$name" \
        --query "[].[name,value]" --output tsv) || die "the app's settings cannot be read"
    while IFS=$'\t' read -r key value; do
        [ -z "$key" ] || current[$key]=$value
    done <<<"$settings"
}

adopt_plan() {
    local sku
    sku=$(look_up az resource show --ids "$app" --api-version 2023-12-01 --query properties.sku --output tsv)
    case ${sku,,} in
    flexconsumption) adopt plan flex ;;
    elasticpremium) adopt plan premium ;;
    dynamic) adopt plan consumption ;;
    *) die "$name is not one of this script's: its plan is $sku" ;;
    esac
}

# The host's account is where the app's stock is. Until a first run has come to the settings, a
# connection string names it.
adopt_storage() {
    read_settings
    if [[ ";${current[AzureWebJobsStorage]-}" =~ \;AccountName=([a-z0-9]+) ]]; then
        adopt storage "${BASH_REMATCH[1]}"
    fi
    adopt storage "${current[AzureWebJobsStorage__accountName]-}"
    [ -n "$storage" ] || die "the settings of $name name no storage account: say which with --storage"
}

# Settles what no option says: by the app, if it is there.
settle_options() {
    local where short=${name//-/}
    where=$(where_is "$name")
    adopt group "${where%%$'\t'*}"
    adopt location "${where##*$'\t'}"
    group=${group:-$name}
    if own_group_exists "$group" "$name"; then
        group_exists=true
        app=$(look_up az functionapp list --resource-group "$group" --query "[?name=='$name'].id" --output tsv)
    fi
    if [ -n "$app" ]; then
        adopt_plan
        adopt_storage
    fi
    [ -n "$location" ] || die "--location is missing: $name is not there yet"
    plan=${plan:-flex}
    storage=${storage:-${short:0:24}}
    check_name --storage "$storage" '.{3,}' "3 to 24 of a-z and 0-9"
}

ensure_group() {
    if ! $group_exists; then
        change az group create --name "$group" --location "$location" --tags "leasehold=$name" --output none
    fi
}

# Azure can make an app of the two older plans only while the account's keys may be used;
# lock_account ends that.
ensure_account() {
    local wanted=false
    [ "$plan" = flex ] || wanted=true
    keys_allowed=$(look_up az storage account list --resource-group "$group" \
        --query "[?name=='$storage'].[allowSharedKeyAccess]" --output tsv)
    # In a list az writes True, False, and None if it was never set.
    keys_allowed=${keys_allowed,,}
    if [ -z "$keys_allowed" ]; then
        [ -z "$app" ] || die "there is no storage account $storage in $group, where $name has its stock: a new one could not" \
            "bring that back, but see docs/operations.md, Backup and restoring"
        change az storage account create --resource-group "$group" --name "$storage" --location "$location" \
            --sku Standard_LRS --kind StorageV2 --min-tls-version TLS1_2 --allow-blob-public-access false \
            --allow-shared-key-access "$wanted" --output none
        keys_allowed=$wanted
    fi
}

ensure_premium_plan() {
    local found
    found=$(look_up az functionapp plan list --resource-group "$group" --query "[?name=='$name-plan'].id" --output tsv)
    if [ -z "$found" ]; then
        change az functionapp plan create --resource-group "$group" --name "$name-plan" --location "$location" \
            --sku EP1 --is-linux true --output none
    fi
}

# Without --workspace the log would go to a workspace of the whole subscription's, which teardown.sh
# would leave behind. Its name has the region in it, since one that was removed is kept for 14 days
# and can come back only where it was.
create_app() {
    local workspace=$name-$location
    workspace=${workspace:0:63}
    local where=(--flexconsumption-location "$location" --deployment-storage-auth-type SystemAssignedIdentity)
    case $plan in
    premium)
        ensure_premium_plan
        where=(--plan "$name-plan")
        ;;
    consumption) where=(--consumption-plan-location "$location") ;;
    esac
    if [ "$plan" != flex ]; then
        where+=(--os-type Linux --functions-version 4 --assign-identity '[system]')
        if [ "$keys_allowed" = false ]; then
            change az storage account update --resource-group "$group" --name "$storage" \
                --allow-shared-key-access true --output none
            keys_allowed=true
        fi
    fi
    change az monitor log-analytics workspace create --resource-group "$group" --workspace-name "$workspace" \
        --location "$location" --output none
    change az functionapp create --resource-group "$group" --name "$name" --storage-account "$storage" \
        "${where[@]}" --runtime custom --https-only true --workspace "$workspace" --output none
}

ensure_app() {
    [ -n "$app" ] || create_app
    ask principal az functionapp identity show --resource-group "$group" --name "$name" --query principalId --output tsv
    if [ -z "$principal" ]; then # a run that was interrupted while it made the app
        change az functionapp identity assign --resource-group "$group" --name "$name" --identities '[system]' --output none
        ask principal az functionapp identity show --resource-group "$group" --name "$name" --query principalId --output tsv
    fi
}

# $1: a role that the app needs on the storage account.
ensure_role() {
    local held
    held=$(look_up az role assignment list --scope "$scope" \
        --query "[?principalId=='$principal' && roleDefinitionName=='$1'].id" --output tsv)
    if [ -z "$held" ]; then
        change_patiently az role assignment create --assignee-object-id "$principal" \
            --assignee-principal-type ServicePrincipal --role "$1" --scope "$scope" --output none
    fi
}

# Blob Data Owner rather than Contributor: the host asks for it, since it keeps its own locks and
# keys in the same account
# (https://learn.microsoft.com/azure/azure-functions/functions-reference#connecting-to-host-storage-with-an-identity).
ensure_roles() {
    ask scope az storage account show --resource-group "$group" --name "$storage" --query id --output tsv
    ensure_role "Storage Blob Data Owner"
    ensure_role "Storage Table Data Contributor"
}

# Sets those of the settings "$@" that are missing or have another value.
set_settings() {
    local setting key missing=()
    for setting in "$@"; do
        key=${setting%%=*}
        if [ -z "${current[$key]+set}" ] || [ "${current[$key]}" != "${setting#*=}" ]; then
            missing+=("$setting")
        fi
    done
    if [ "${#missing[@]}" -gt 0 ]; then
        change az functionapp config appsettings set --resource-group "$group" --name "$name" \
            --settings "${missing[@]}" --output none
    fi
}

# `az functionapp create` has put connection strings with the account's key there, and the host
# would prefer them.
delete_key_settings() {
    local key unwanted=()
    local candidates=(AzureWebJobsStorage)
    [ "$plan" = flex ] || candidates+=(WEBSITE_CONTENTAZUREFILECONNECTIONSTRING WEBSITE_CONTENTSHARE)
    for key in "${candidates[@]}"; do
        if $dry_run || [ -n "${current[$key]+set}" ]; then
            unwanted+=("$key")
        fi
    done
    if [ "${#unwanted[@]}" -gt 0 ]; then
        change az functionapp config appsettings delete --resource-group "$group" --name "$name" \
            --setting-names "${unwanted[@]}" --output none
    fi
}

# The address of the stock is a default: --setting may have given it another.
ensure_settings() {
    local blobs="https://$storage.blob.core.windows.net"
    local wanted=("AzureWebJobsStorage__accountName=$storage")
    read_settings
    if [ -z "${current[DistributedLeasing__StorageAccountUri]-}" ]; then
        wanted+=("DistributedLeasing__StorageAccountUri=$blobs")
    fi
    wanted+=("${settings[@]}")
    if [ "$plan" != flex ]; then
        wanted+=("WEBSITE_RUN_FROM_PACKAGE=$blobs/packages/leasehold.zip")
    fi
    set_settings "${wanted[@]}"
    delete_key_settings
    $dry_run || [ -n "${current[APPLICATIONINSIGHTS_CONNECTION_STRING]+set}" ] ||
        echo "${0##*/}: warning: the app has no Application Insights; its log can be read as a stream alone" >&2
}

lock_account() {
    if [ "$keys_allowed" != false ]; then
        change az storage account update --resource-group "$group" --name "$storage" --allow-shared-key-access false --output none
    fi
}

# Core Tools know how to publish a custom handler to this plan best, but take a folder alone.
# Without them, or without unzip, the zip goes up as it is.
publish_flex() {
    local command=(func azure functionapp publish "$name" --custom)
    if command -v func >/dev/null && command -v unzip >/dev/null; then
        ask folder mktemp -d
        $dry_run || trap 'rm -rf "$folder"' EXIT
        change unzip -q "$package" -d "$folder"
        echo "(cd $(show "$folder") && $(show "${command[@]}"))"
        $dry_run || (cd "$folder" && "${command[@]}")
    else
        change az functionapp deployment source config-zip --resource-group "$group" --name "$name" --src "$package" --output none
    fi
}

# The two older plans take their code from a file share, which has no access without keys, or from a
# blob, which has.
publish_as_blob() {
    change az storage container-rm create --resource-group "$group" --storage-account "$storage" --name packages --output none
    change az storage blob upload --account-name "$storage" --container-name packages --name leasehold.zip \
        --file "$package" --overwrite true --auth-mode login --no-progress --output none ||
        die "to upload the package you need the role Storage Blob Data Contributor on the account, Owner is not enough:" \
            "az role assignment create --assignee YOU --role 'Storage Blob Data Contributor' --scope $scope"
    change az functionapp restart --resource-group "$group" --name "$name" --output none
    change az rest --method post --url "$site/syncfunctiontriggers?api-version=2022-03-01" --output none
}

# The app bears the checksum of its package as a tag, so that the same one is not published twice.
publish() {
    local published
    ask site az functionapp show --resource-group "$group" --name "$name" --query id --output tsv
    published=$(look_up az functionapp list --resource-group "$group" --query "[?name=='$name'].tags.leaseholdPackage" --output tsv)
    if $dry_run; then
        echo "sum=\$(sha256sum $(show "$package") | cut -c1-64)"
        sum="\$sum"
    else
        sum=$(sha256sum "$package" | cut -c1-64)
    fi
    if [ "$published" = "$sum" ]; then return; fi
    if [ "$plan" = flex ]; then publish_flex; else publish_as_blob; fi
    change az tag update --resource-id "$site" --operation merge --tags "leaseholdPackage=$sum" --output none
}

read_options "$@"
check_options
check_az
settle_options
ensure_group
ensure_account
ensure_app
ensure_roles
ensure_settings
lock_account
publish
if ! $dry_run; then
    echo "$name runs this package. Its host name: az functionapp list -g $group --query [].defaultHostName --output tsv"
    echo "Its keys: az functionapp keys list -g $group -n $name"
fi
