#!/bin/sh
# Creates Temporal's two databases, or brings their tables up to the version of this image.
set -eu

schema() {
  set -- "$1" "$2" temporal-sql-tool --plugin postgres12 --endpoint "$SQL_HOST" --port 5432 --user "$SQL_USER" --database "$1"
  database=$1 directory=$2
  shift 2
  echo "database $database"
  "$@" create
  "$@" setup-schema --version 0.0
  "$@" update-schema --schema-dir "/etc/temporal/schema/postgresql/v12/$directory/versioned"
}

schema temporal temporal
schema temporal_visibility visibility
