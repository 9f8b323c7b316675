# What both jobs of CI share. Sourced: sets the machine up, and defines `count` and `finish`.
cd "$(dirname "$0")/.." || exit 1
export HOLDFAST_SETUP_TESTS=1

bash scripts/setup.sh || { echo "0 passed, 1 failed"; exit 1; }
had_dockerd=$([ -e .holdfast/dockerd.pid ] && echo yes || echo no)

passed=0
failed=0
failures=$(mktemp)

# Runs a command that ends with a line "N passed, N failed", and adds these up.
count() {
  local output counts code
  output=$(mktemp)
  "$@" 2>&1 | tee "$output"
  code=${PIPESTATUS[0]}
  counts=$(grep -E '^[0-9]+ passed, [0-9]+ failed$' "$output" | tail -n 1)
  # Each with its indented lines: said again at the end, since the log of a CI is often cut to its last lines.
  awk '/^(FAILED|BROKEN) / { print; inside = 1; next } /^    / && inside { print; next } { inside = 0 }' "$output" >>"$failures"
  rm -f "$output"
  # A command that says nothing, or that failed though it counted no failure, is one.
  if [ -z "$counts" ] || { [ "$code" != 0 ] && [[ "$counts" == *", 0 failed" ]]; }; then
    failed=$((failed + 1))
    echo "FAILED $* ended with $code: see above" | tee -a "$failures"
  fi
  counts=${counts:-0 passed, 0 failed}
  passed=$((passed + ${counts%% *}))
  counts=${counts#*, }
  failed=$((failed + ${counts%% *}))
}

# Ends the engine that setup started, says what failed, and the counts as the last line.
finish() {
  if [ "$had_dockerd" = yes ]; then
    kill "$(cat .holdfast/dockerd.pid)" 2>/dev/null || true
    rm -f .holdfast/dockerd.pid
  fi
  cat "$failures"
  rm -f "$failures"
  echo "$passed passed, $failed failed, after $((SECONDS / 60)) min $((SECONDS % 60)) s" >&2
  echo "$passed passed, $failed failed"
  [ "$failed" = 0 ]
}
