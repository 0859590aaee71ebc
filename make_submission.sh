#!/usr/bin/env bash
# Pack your homework into submission.zip: codebase/flow_network.py, codebase/gan.py, and the figures
# from training that exist.
#
# It packs its own folder or, if that has no codebase/, the current one.
set -euo pipefail

case "${1:-}" in
  -h | --help)
    sed -n 's/^# \{0,1\}//; 2,5p' -- "${BASH_SOURCE[0]}"
    exit
    ;;
esac

python_files=(codebase/flow_network.py codebase/gan.py)
flow_figure=maf/samples_epoch50.png

fail() {
  echo "make_submission.sh: $*" >&2
  exit 1
}

# The generated images with the highest step in a folder, if any.
last_figure() {
  local best="" best_step=-1 path step
  for path in "$1"/fake_*.png; do
    step=${path##*/fake_}
    step=${step%.png}
    case $step in '' | *[!0-9]*) continue ;; esac
    # 10#: otherwise 0900 is octal
    if ((10#$step > best_step)); then
      best=$path
      best_step=$((10#$step))
    fi
  done
  if [ -n "$best" ]; then echo "$best"; fi
}

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
if [ -d "$here/codebase" ]; then
  cd "$here"
elif [ ! -d codebase ]; then
  fail "neither $here nor $PWD has a folder codebase/; run it in your homework's folder"
fi

files=()
for file in "${python_files[@]}"; do
  [ -f "$file" ] || fail "$PWD/$file is missing; nothing was packed"
  files+=("$file")
done

if [ -f "$flow_figure" ]; then
  files+=("$flow_figure")
else
  echo "Note: $flow_figure is missing; 'python run_flow.py' makes it."
fi
for folder in out_*/; do
  figure=$(last_figure "${folder%/}")
  if [ -n "$figure" ]; then files+=("$figure"); fi
done

# Warn of problems on Gradescope: with make_submission.py if there is a Python, else only of stubs.
warn() {
  local python file part
  for python in python3 python; do
    if [ -f "$here/make_submission.py" ] &&
      "$python" -c 'import sys; sys.exit(sys.version_info < (3, 9))' >/dev/null 2>&1; then
      "$python" "$here/make_submission.py" --warn || true
      return
    fi
  done
  local stub='s/^[[:space:]]*raise NotImplementedError("\(.*\) is not implemented yet").*/\1/p'
  for file in "${python_files[@]}"; do
    sed -n "$stub" "$file" | while IFS= read -r part; do
      echo "Warning: $file: $part is not implemented yet" >&2
    done
  done
}
warn

# Written to a temporary folder, then moved: a failure leaves no incomplete zip.
partial=$(mktemp -d ./.submission.XXXXXX) || fail "$PWD/submission.zip cannot be made"
trap 'rm -rf "$partial"' EXIT
if command -v zip >/dev/null; then
  zip -q -X "$partial/submission.zip" "${files[@]}" || fail "zip failed"
elif command -v python3 >/dev/null; then
  python3 -c '
import sys, zipfile
with zipfile.ZipFile(sys.argv[1], "w", zipfile.ZIP_DEFLATED) as archive:
    for name in sys.argv[2:]:
        archive.write(name)
' "$partial/submission.zip" "${files[@]}" || fail "python3 could not write the zip"
else
  fail "neither zip nor python3 was found; install one of them"
fi
mv -f "$partial/submission.zip" submission.zip

echo "Packed into $PWD/submission.zip:"
printf '  %s\n' "${files[@]}"
