#!/bin/sh
# Makes what is missing of .env and deploy/secrets; leaves alone what is there. Keep copies: without the key no job can be read.
set -eu
cd "$(dirname "$0")/.."
umask 077

# The user of the worker's container (Dockerfile); its files must be readable by it and by nobody else.
worker_uid=1000

secret() {
  if [ -s "deploy/secrets/$1" ]; then return; fi
  openssl rand "$2" 32 >"deploy/secrets/$1"
  echo "made deploy/secrets/$1: $3"
}

setting() {
  if grep -q "^$1=." .env; then return; fi
  sed -i "s|^$1=.*|$1=$2|" .env
  echo "set $1 in .env"
}

command -v openssl >/dev/null || { echo "openssl is missing: apt-get install openssl" >&2; exit 1; }
mkdir -p deploy/secrets
secret key -base64 "encrypts everything that passes through Temporal"
secret web-token -hex "opens the job pages"
secret codec-token -hex "lets the Temporal CLI decode"
[ -e .env ] || cp .env.example .env
setting POSTGRES_PASSWORD "$(openssl rand -hex 24)"
if [ -S /var/run/docker.sock ]; then setting DOCKER_GID "$(stat -c %g /var/run/docker.sock)"; fi

if [ "$(id -u)" = 0 ]; then
  chown -R "$worker_uid" deploy/secrets
elif [ "$(id -u)" != "$worker_uid" ]; then
  echo "As root: chown -R $worker_uid deploy/secrets (the user of the worker's container)" >&2
fi
