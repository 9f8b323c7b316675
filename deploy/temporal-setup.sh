#!/bin/sh
# Registers the namespace and Holdfast's search attributes (src/contracts/names.ts; a test compares). Does nothing the second time.
set -eu
namespace=default

for attempt in 1 2 3 4 5 6 7 8 9 10 11 12; do
  if temporal operator cluster health; then break; fi
  [ "$attempt" -lt 12 ] || { echo "Temporal at $TEMPORAL_ADDRESS is not healthy" >&2; exit 1; }
  sleep 5
done

temporal operator namespace describe --namespace "$namespace" >/dev/null 2>&1 ||
  temporal operator namespace create --namespace "$namespace" --retention "$RETENTION"

# A new namespace is known to all of the server a moment later, so this may fail at first: compose starts it again.
registered=$(temporal operator search-attribute list --namespace "$namespace")
while read -r name type; do
  case $registered in
  *"$name"*) continue ;;
  esac
  temporal operator search-attribute create --namespace "$namespace" --name "$name" --type "$type" </dev/null
done <<'ATTRIBUTES'
HoldfastJobState Keyword
HoldfastFailureReason Keyword
HoldfastProject Keyword
HoldfastPool Keyword
HoldfastMachine Keyword
HoldfastMetrics Keyword
HoldfastFlags KeywordList
ATTRIBUTES
echo "namespace and search attributes are registered"
