#!/usr/bin/env bash
# What action.yml runs first: puts git-cto, at exactly this tag, and the agents that its mode needs into a new folder
# under RUNNER_TEMP. Everything comes from lock files with hashes; no install script runs, nothing is built, and
# nothing of the workspace is read. Says where through GITHUB_OUTPUT: `home`, and a name for the artifact.
set -euo pipefail

fail() {
  echo "::error title=git-cto::$1"
  echo "Next: $2"
  printf '### ? Could not be done\n\n%s\n\nNext: %s\n\nNothing of this could be said on the pull request.\n' "$1" "$2" \
    >>"${GITHUB_STEP_SUMMARY:-/dev/null}"
  exit 3
}

python_that_will_do() {
  local one
  for one in python3 python3.14 python3.13 python3.12 python3.11; do
    if "$one" -I -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      echo "$one"
      return
    fi
  done
}

# Its own code is run where the action was unpacked, so that it is this tag's: a path in the environment, no package.
install_git_cto() {
  "$1" -I -m venv venv &&
    venv/bin/python -I -m pip install --quiet --disable-pip-version-check --no-input --no-compile \
      --only-binary :all: --require-hashes -r "$GITHUB_ACTION_PATH/requirements/action.lock" &&
    packages=$(venv/bin/python -I -c 'import sysconfig; print(sysconfig.get_path("purelib"))') &&
    printf '%s\n' "$GITHUB_ACTION_PATH/src" >"$packages/git-cto.pth" &&
    venv/bin/python -I -m git_cto --version
}

locked() { grep -qF "\"$1\": \"$2\"" "$GITHUB_ACTION_PATH/package.json"; }

install_agents() {
  local flags=(--ignore-scripts --no-audit --no-fund --no-update-notifier --loglevel=error) wanted omit
  wanted=("@openai/codex@$CODEX_VERSION")
  omit=(--omit=dev)
  if [ "$MODE" = run ]; then
    wanted+=("@anthropic-ai/claude-code@$CLAUDE_CODE_VERSION")
    omit=()
  fi
  cd agents
  if locked @openai/codex "$CODEX_VERSION" &&
    { [ "$MODE" != run ] || locked @anthropic-ai/claude-code "$CLAUDE_CODE_VERSION"; }; then
    cp "$GITHUB_ACTION_PATH/package.json" "$GITHUB_ACTION_PATH/package-lock.json" .
    npm ci "${flags[@]}" ${omit[@]+"${omit[@]}"}
  else
    echo '{"private": true}' >package.json
    npm install --save-exact "${flags[@]}" -- "${wanted[@]}"
  fi
  # It puts Claude Code's program where its `claude` points to, and runs nothing else.
  [ "$MODE" != run ] || node node_modules/@anthropic-ai/claude-code/install.cjs
}

case "$OSTYPE" in
  linux* | darwin*) ;;
  *) fail "git-cto runs on Linux and macOS only." "runs-on: ubuntu-24.04" ;;
esac
for version in "$CODEX_VERSION" "$CLAUDE_CODE_VERSION"; do
  [[ "$version" =~ ^[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?$ ]] ||
    fail "codex-version and claude-code-version have to be exact versions." "codex-version: 0.169.0"
done
python=$(python_that_will_do)
[ -n "$python" ] || fail "No Python 3.11 or newer with venv is on this runner." "put actions/setup-python before this step"

home=$(mktemp -d "$PWD/git-cto-XXXXXX")
cd "$home"
mkdir agents record work
unset PIP_PREFIX PIP_TARGET PIP_USER # where somebody else wants packages to go

agents=
if [ "$MODE" != gate ] && [ "$GITHUB_EVENT_NAME" != merge_group ]; then
  command -v npm >/dev/null || fail "npm is not on this runner: it installs Codex." "put actions/setup-node before this step"
  (install_agents) >agents.log 2>&1 & # beside git-cto itself: each takes a while
  agents=$!
fi
install_git_cto "$python" || fail "git-cto could not be installed." "look at what pip says above, and run the job again"
if [ -n "$agents" ] && ! wait "$agents"; then
  cat agents.log
  fail "Codex could not be installed." "look at what npm says above, and run the job again"
fi

{
  echo "home=$home"
  echo "artifact=git-cto-$GITHUB_JOB-$GITHUB_RUN_ATTEMPT-${home##*-}"
} >>"$GITHUB_OUTPUT"
