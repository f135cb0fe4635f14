#!/usr/bin/env bash
# Installs the packages of the named groups that are missing. If none is missing, it takes no time.
#
#   tools/deps.sh GROUP...     build     compiler, libraries, curl
#                              azurite   Node and the Azurite that package-lock.json pins
#                              test      libcheck
#                              openapi   what tests/openapi/ checks the API's answers with
#                              lint      clang and the checkers
#                              valgrind  valgrind
#                              fuzz      clang with libFuzzer and its sanitizers
#                              package   what `make package` needs to build for old systems
#                              package-test   what `make test-package` needs
#                              debs      what `make debs` needs
#                              azure     the Azure CLI: 100 packages and 700 MB, a minute or two
#                              docs      gnuplot, and Node with the Mermaid of tools/diagrams/ and
#                                        the linter of tools/openapi/
#                              bench     Go with Azure's packages, Node's packages of
#                                        bench/peers/node/, gnuplot
#
# It needs Debian 12 or a relative, and root or sudo if something is missing. On other systems it
# installs nothing from the distribution; the compiler or linker will then name what is missing.
set -euo pipefail
cd "$(dirname "$0")/.."

declare -A packages=(
    [build]="gcc libc6-dev make pkg-config libcurl4-openssl-dev libssl-dev libcjson-dev libexpat1-dev libsmartcols-dev ca-certificates curl scdoc"
    [azurite]=""
    [test]="check patch"
    [openapi]=""
    [lint]="abigail-tools clang clang-format clang-tidy cppcheck groff-base shellcheck yamllint"
    [valgrind]="valgrind"
    [fuzz]="clang libclang-rt-14-dev"
    [package]="binutils debian-archive-keyring dpkg-dev git patch perl xz-utils zip"
    [package-test]="debootstrap mount unzip util-linux"
    [debs]="debhelper git lintian man-db"
    [azure]="azure-cli unzip zip"
    [docs]="gnuplot-nox python3"
    [bench]="gnuplot-nox golang-go golang-github-azure-azure-storage-blob-go-dev python3"
)
readonly OLDEST_NODE=18

die() {
    echo "deps: $*" >&2
    exit 1
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        die "this needs root, and there is no sudo; run it as root: $*"
    fi
}

apt_install() {
    echo "deps: installing $*"
    as_root apt-get update -qq
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

# Prints those of the given packages that are not installed, one a line.
missing_packages() {
    # dpkg-query exits with 1 if it does not know a package; that is no failure here.
    { dpkg-query -W -f '${db:Status-Status} ${Package}\n' "$@" 2>/dev/null || true; } |
        awk -v wanted="$*" '$1 == "installed" { have[$2] = 1 }
            END { n = split(wanted, want, " "); for (i = 1; i <= n; i++) if (!(want[i] in have)) print want[i] }'
}

install_packages() {
    local missing
    mapfile -t missing < <(missing_packages "$@")
    if [ "${#missing[@]}" -gt 0 ]; then
        apt_install "${missing[@]}"
    fi
}

# Provides Node with npm. An npm that is there belongs to a Node of the user's choice; Debian's
# packages would clash with it.
need_node() {
    if ! command -v npm >/dev/null; then
        command -v apt-get >/dev/null || die "Node $OLDEST_NODE or newer with npm is needed"
        install_packages nodejs npm ca-certificates
    fi
    local major
    major=$(node -p 'process.versions.node.split(".")[0]') || die "npm is there, but node does not run"
    [ "$major" -ge "$OLDEST_NODE" ] || die "Node $OLDEST_NODE or newer is needed; this is $(node -v)"
}

# Installs in folder $1 the Node packages that its package-lock.json pins; $2 says what they are.
install_node_packages() {
    local folder=$1
    if [ "$folder/node_modules/.package-lock.json" -nt "$folder/package-lock.json" ]; then
        return
    fi
    [ ! -L "$folder/node_modules" ] ||
        die "$folder/node_modules is a link: npm would empty the folder that it leads to; update that one"
    need_node
    echo "deps: installing $2 from $folder/package-lock.json"
    npm ci --prefix "$folder" --no-audit --no-fund --loglevel=error
    # npm may keep an older time; this would then run again.
    touch "$folder/node_modules/.package-lock.json"
}

[ $# -gt 0 ] || die "usage: tools/deps.sh GROUP... (${!packages[*]})"
wanted=()
for group in "$@"; do
    [ -n "${packages[$group]+known}" ] || die "no such group: $group (${!packages[*]})"
    read -ra of_group <<<"${packages[$group]}"
    wanted+=("${of_group[@]}")
done

if [ "${#wanted[@]}" -gt 0 ] && command -v apt-get >/dev/null; then
    install_packages "${wanted[@]}"
fi
for group in "$@"; do
    case $group in
    azurite) install_node_packages . "Azurite" ;;
    bench) install_node_packages bench/peers/node "Azure's packages for Node" ;;
    docs)
        install_node_packages tools/diagrams "Mermaid"
        install_node_packages tools/openapi "the OpenAPI linter"
        ;;
    openapi) install_node_packages tests/openapi "the JSON Schema validator" ;;
    esac
done
