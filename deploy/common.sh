# shellcheck shell=bash
# What deploy/azure.sh and deploy/teardown.sh share: how a command is shown and called, and Azure's
# rules for names.
#
# A dry run calls nothing at all. It prints the commands of a first run, quoted so that they can be
# pasted: where one needs what another answers, that is kept in a shell variable.

dry_run=false
declare -A shown_as=() # what is shown in place of a word that may be a secret

die() {
    echo "${0##*/}: $*" >&2
    exit 1
}

# Prints the command "$@" as it can be pasted. A word that is one of our variables, as `ask` leaves
# it in a dry run, stays one.
show() {
    local word line=
    for word in "$@"; do
        if [ -n "$word" ] && [ -n "${shown_as[$word]-}" ]; then
            line+=" ${shown_as[$word]}"
        elif [[ $word =~ ^[A-Za-z0-9_./:=@%+,-]+$ ]]; then
            line+=" $word"
        elif [[ $word =~ ^(leaseholdPackage=)?\$[a-z]+(/[a-z]+\?[a-z0-9=-]+)?$ ]]; then
            line+=" \"$word\""
        else
            line+=" ${word@Q}"
        fi
    done
    echo "${line# }"
}

# Runs a command that changes something.
change() {
    show "$@"
    $dry_run || "$@"
}

# The same, tried again for a minute: what Azure has just made is not known to all of its servers at
# once.
change_patiently() {
    local try
    show "$@"
    if $dry_run; then return; fi
    for try in 1 2 3 4 5 6 7; do
        if "$@"; then return; fi
        [ "$try" -eq 7 ] || sleep 10
    done
    die "seven tries have failed; run this again later: it goes on where it ended"
}

# Sets the variable $1 to what a command answers that changes nothing.
ask() {
    local -n answer=$1
    if $dry_run; then
        echo "$1=\$($(show "${@:2}"))"
        answer="\$$1"
    else
        # shellcheck disable=SC2034 # it is the caller's
        answer=$("${@:2}") || die "it was: $(show "${@:2}")"
    fi
}

# Prints what is there already; nothing in a dry run.
look_up() {
    $dry_run || "$@" || die "it was: $(show "$@")"
}

# $1: the option; $2: its value; $3: the pattern that all of it must match; $4: the rule in words.
check_name() {
    [[ $2 =~ ^($3)$ ]] || die "$1 is ${2:-missing}: $4"
}

# https://learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules. Of the
# app's name we take less than Azure does, lower case alone, so that one name is one app.
check_app_name() {
    check_name --name "$1" '[a-z0-9][a-z0-9-]{0,58}[a-z0-9]' "2 to 60 of a-z, 0-9 and -, no - first or last"
}

check_group_name() {
    check_name --group "$1" '[A-Za-z0-9_().-]{0,89}[A-Za-z0-9_()-]' "1 to 90 of A-Z a-z 0-9 _ ( ) . -, no . last"
}

# Prints the resource group and the region of the app $1, a tab between them; nothing if the
# subscription has no such app.
where_is() {
    local found
    found=$(look_up az resource list --name "$1" --resource-type Microsoft.Web/sites --query "[].[resourceGroup,location]" \
        --output tsv) || exit
    echo "${found// /}" # a region may be written West Europe
}

# Whether the resource group $1 exists. One that is not the app's ($2) own ends the program: it
# would be removed with it.
own_group_exists() {
    local exists tag
    exists=$(look_up az group exists --name "$1") || exit
    [ "$exists" = true ] || return 1
    tag=$(look_up az group show --name "$1" --query tags.leasehold --output tsv) || exit
    [ "$tag" = "$2" ] || die "the resource group $1 has no tag leasehold=$2: it is not this app's own. Choose another with --group"
}
