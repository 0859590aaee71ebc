#!/usr/bin/env bash
# Make the environment in .venv beside this file: ./setup.sh [--dev]. Running it again is harmless.
#
#   --dev        also install what the project's own tests and linters need
#   PYTHON       the interpreter to build the environment from (default: the first that fits)
#   TORCH_INDEX  address of the package index to take PyTorch from, with pip; empty: pip's default.
#                Without it, the file torch-index.txt beside this one gives it, if there is one;
#                otherwise uv takes PyTorch's CPU wheels where there is no NVIDIA driver.
#
# It installs what requirements.lock lists, with the hashes there, and the PyTorch of constraints.txt:
# made again, the environment is the same. This project itself is run from here, never installed.
set -euo pipefail
umask 022 # workers with users of their own must be able to read the environment
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
venv=$here/.venv
on_gradescope=no
[ "$here" = /autograder/source ] && on_gradescope=yes
lock=requirements.lock
case "$*" in
  '') ;;
  --dev) lock=requirements-dev.lock ;;
  *) echo "usage: ./setup.sh [--dev]" >&2; exit 2 ;;
esac
if [ -z "${TORCH_INDEX+set}" ] && [ -f "$here/torch-index.txt" ]; then
  TORCH_INDEX=$(cat "$here/torch-index.txt")
fi

# Workers that drop their privileges must be able to enter every folder above the interpreter: an
# interpreter in a home folder of mode 0700 will not do.
reachable() {
  local path
  path=$(readlink -f -- "$1")
  while [ "$path" != / ]; do
    path=$(dirname -- "$path")
    case $(stat -c %A -- "$path" 2>/dev/null || echo '?????????x') in *[xt]) ;; *) return 1 ;; esac
  done
}
fits() { "$1" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; }

choose_python() {
  local name path second=
  for name in ${PYTHON:-/usr/bin/python3 python3.12 python3.11 python3.10 python3.13 python3 python}; do
    path=$(command -v "$name") || continue
    fits "$path" || continue
    if reachable "$path"; then
      echo "$path"
      return
    fi
    second=${second:-$path}
  done
  [ -n "$second" ] || return 1
  if [ "$(id -u)" = 0 ]; then
    echo "setup.sh: WARNING: other users cannot reach $second, so graded code will run as root" >&2
  fi
  echo "$second"
}

if ! python=$(choose_python) && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  apt-get update -q
  DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends python3 python3-venv
  python=$(choose_python) || true
fi
if [ -z "${python:-}" ]; then
  echo "setup.sh: no Python 3.10 or newer with the venv module; install one or set PYTHON" >&2
  exit 1
fi

[ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
pip() { "$venv/bin/python" -m pip --disable-pip-version-check install -q "$@"; }
uv() { "$venv/bin/uv" pip install -q --python "$venv/bin/python" "$@"; }
echo "setup.sh: installing into $venv (from $python); PyTorch takes a minute or two"
torch=$(grep -E '^torch(vision)?==' "$here/constraints.txt" | tr '\n' ' ')
backend=auto cache=
if [ $on_gradescope = yes ]; then
  backend=cpu cache=--no-cache-dir # an image keeps what is cached in it
fi
# shellcheck disable=SC2086 # $torch is two words, $cache none or one
pip $cache --require-hashes --no-deps -r "$here/$lock"
# shellcheck disable=SC2086 # as above
if [ -n "${TORCH_INDEX+set}" ]; then
  pip $cache ${TORCH_INDEX:+--index-url "$TORCH_INDEX"} $torch
elif ! uv $cache --torch-backend=$backend $torch 2>"$venv/uv.log"; then
  echo "setup.sh: uv could not get PyTorch (see $venv/uv.log); pip takes the default build, with CUDA"
  pip $cache $torch
fi
# Making the list of fonts takes seconds: once here, not in every grading.
MPLCONFIGDIR="$venv/share/matplotlib-cache" "$venv/bin/python" -c 'import matplotlib.font_manager'
if [ $on_gradescope = yes ]; then
  # Every submission starts from this image: compile here, not in every grading.
  "$venv/bin/python" -m compileall -q "$here/autograder" || true # a grading names a broken file
  # A second lock: workers need nothing of ours but the environment.
  chmod -R go-rwx "$here"/*/
fi
"$venv/bin/python" -c 'import torch; print("setup.sh: done, torch", torch.__version__)'
