# shellcheck shell=bash
# Sourced by the scripts that fetch from Debian's archive.

# The address that this machine's apt has for release $1 ("bookworm", "bookworm-security").
archive_address() {
    local address
    # shellcheck disable=SC2016 # apt's own variables
    address=$(apt-get indextargets --format '$(RELEASE) $(SITE)' 'Created-By: Packages' |
        awk -v release="$1" '$1 == release { print $2; exit }')
    if [ -z "$address" ]; then
        echo "package: this machine's apt has no $1; packages are built on Debian 12" >&2
        return 1
    fi
    echo "$address"
}
