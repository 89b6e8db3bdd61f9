#!/usr/bin/env bash
# Asks Codex for a plan or a review, through git-cto, and prints the bare JSON.
# usage: cto-invoke.sh plan|review "<text>" [--model M] [--dry-run]        (options may also come first)
set -u

usage() {
  cat >&2 <<'TEXT'
Usage: cto-invoke.sh <plan|review> "<prompt>" [options]

  plan     plan the objective in <prompt> for this repository
  review   have what was done judged; <prompt> says what that was

  --model <model>   model, passed on as it is (default: the configured one)
  --dry-run         print the command and the prompt, call nothing

Examples:
  cto-invoke.sh plan "Add WebSocket auth to the Express API"
  cto-invoke.sh review "Health check added at /health. Tests pass."
  cto-invoke.sh plan "Refactor auth module" --model gpt-5-mini
TEXT
  exit 1
}

phase=${1:-}
[ $# -gt 0 ] && shift
case $phase in
  plan | review) ;;
  *) usage ;;
esac

text=
given=no
options=()
json=--json
while [ $# -gt 0 ]; do
  case $1 in
    --model)
      [ $# -ge 2 ] || usage
      options+=(--model "$2")
      shift
      ;;
    --model=*) options+=(--model "${1#--model=}") ;;
    --dry-run)
      options+=(--dry-run)
      json=
      ;;
    --max-iterations)
      [ $# -ge 2 ] && shift
      echo "note: rounds are policy: [rounds] max in .cto/config.toml" >&2
      ;;
    --*) echo "warning: unknown option $1" >&2 ;;
    *)
      if [ "$given" = no ]; then text=$1 given=yes; else echo "warning: one prompt only, not: $1" >&2; fi
      ;;
  esac
  shift
done
[ "$given" = yes ] || usage

if ! command -v git-cto >/dev/null 2>&1; then
  printf '%s\n' '{"schema": "git-cto/error/v1", "error": {"code": "not_installed", "message": "git-cto is not on the PATH.", "hint": "pipx install git-cto"}, "exit_code": 3}'
  exit 3
fi

# The prompt goes in on standard input: whatever it begins with, it is no option.
answer=$(printf '%s' "$text" | git-cto "$phase" ${options[@]+"${options[@]}"} $json -q -)
code=$?
if [ -z "$answer" ]; then # it could not even start: what Python ends with then is no verdict
  printf '%s\n' '{"schema": "git-cto/error/v1", "error": {"code": "no_answer", "message": "git-cto has not answered.", "hint": "git-cto --version"}, "exit_code": 3}'
  exit 3
fi
printf '%s\n' "$answer"
# A verdict is an answer, whichever it is; the JSON says which.
case $code in
  0 | 1 | 4 | 5) exit 0 ;;
  *) exit "$code" ;;
esac
