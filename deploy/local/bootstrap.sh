#!/bin/bash
# Install what is missing to run Palate from this checkout: Debian's packages (as root
# or by sudo) and .venv. Exits quickly when nothing is missing.
#
# Usage: bootstrap.sh [dev]    dev: also what the tests and the lint need
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

fail() {
    echo "$*" >&2
    exit 1
}

install_packages() {
    local packages=()
    compgen -G "/usr/lib/postgresql/*/bin/postgres" >/dev/null || packages+=(postgresql)
    command -v redis-server >/dev/null || packages+=(redis-server)
    command -v java >/dev/null || packages+=(openjdk-17-jre-headless)
    command -v mvn >/dev/null || packages+=(maven)
    command -v python3.11 >/dev/null || packages+=(python3.11)
    # A python3.11 of another origin (pyenv, uv) brings these modules along.
    python3.11 -c "import ensurepip, venv" 2>/dev/null || packages+=(python3.11-venv)
    if [ "$1" = dev ]; then
        # What stands in for a container engine in `make test-compose`.
        command -v bwrap >/dev/null || packages+=(bubblewrap)
        command -v dumb-init >/dev/null || packages+=(dumb-init)
        command -v ip >/dev/null || packages+=(iproute2)
        command -v curl >/dev/null || packages+=(curl)
        # What the tests look at the pages with; it draws no text without a font.
        command -v chromium >/dev/null || packages+=(chromium fonts-dejavu-core)
        # The tests run the warehouse behind it, too.
        [ -x /usr/sbin/pgbouncer ] || packages+=(pgbouncer)
    fi
    [ ${#packages[@]} -eq 0 ] && return

    local as_root=()
    [ "$(id -u)" -eq 0 ] || as_root=(sudo)
    command -v apt-get >/dev/null && { [ "$(id -u)" -eq 0 ] || command -v sudo >/dev/null; } ||
        fail "Missing: ${packages[*]}. Install these packages (they need root), then try again."
    echo "Installing ${packages[*]} ..."
    export DEBIAN_FRONTEND=noninteractive
    "${as_root[@]}" apt-get update -q -y >/dev/null
    "${as_root[@]}" apt-get install -q -y --no-install-recommends "${packages[@]}" >/dev/null ||
        fail "apt-get could not install ${packages[*]}."
}

check_java() {
    local major
    major=$(java -version 2>&1 | sed -n 's/.* version "\([0-9]*\).*/\1/p' | head -n 1)
    [ "${major:-0}" -ge 17 ] ||
        fail "Kafka needs Java 17 or newer, \`java\` is version ${major:-unknown}."
}

# Bring .venv to the pinned versions, unless it was made from the same files.
install_python_packages() {
    local requirements=(-r requirements.txt)
    if [ "$1" = dev ]; then
        requirements+=(-r requirements-dev.txt)
    fi
    local wanted
    wanted=$(cat requirements*.txt pyproject.toml | sha256sum)
    [ "$(cat ".venv/installed-$1" 2>/dev/null)" = "$wanted" ] && return

    echo "Installing Python packages into .venv ..."
    [ -x .venv/bin/python ] || python3.11 -m venv .venv
    # Each archive is checked against its hash; the package is built with what is installed.
    .venv/bin/python -m pip install -q --disable-pip-version-check --require-hashes \
        -r requirements-build.txt
    export VIRTUAL_ENV=$PWD/.venv
    .venv/bin/uv pip install -q --require-hashes "${requirements[@]}"
    .venv/bin/uv pip install -q --no-deps --no-build-isolation -e .
    # Airflow's four processes start in 7 s instead of 14.
    .venv/bin/python -m compileall -q -j 0 .venv/lib >/dev/null || true
    echo "$wanted" >.venv/installed-run
    [ "$1" = run ] || echo "$wanted" >.venv/installed-dev
}

install_packages "${1:-run}"
check_java
install_python_packages "${1:-run}"
