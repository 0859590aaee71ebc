#!/usr/bin/env bash
# Install everything on a new machine: an environment in .venv next to this file. It is safe to run again.
#
#   PYTHON       the interpreter for the environment (default: the first suitable one)
#   TORCH_INDEX  URL of an index with PyTorch's CPU wheels, which are several gigabytes smaller
#                (PyTorch's install page names it under "CPU"). Empty: pip's own choice.
#                Default: the line in torch-index.txt next to this file, if it exists.
set -euo pipefail
umask 022 # workers run as separate users, who must be able to read the environment
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
venv=$here/.venv
on_gradescope=no
[ "$here" = /autograder/source ] && on_gradescope=yes
if [ -z "${TORCH_INDEX+set}" ] && [ -f "$here/torch-index.txt" ]; then
  TORCH_INDEX=$(cat "$here/torch-index.txt")
fi

# Workers run as other users, who must be able to enter every folder above the interpreter. A home
# folder of mode 0700 would keep them out.
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
  echo "setup.sh: no Python 3.10 or newer with the venv module; install it or set PYTHON" >&2
  exit 1
fi

[ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
pip() { "$venv/bin/python" -m pip --disable-pip-version-check "$@"; }
echo "setup.sh: installing into $venv (from $python); PyTorch takes a minute or two"
torch=$(grep -E '^torch(vision)?==' "$here/constraints.txt" | tr '\n' ' ')
cache=
[ $on_gradescope = yes ] && cache=--no-cache-dir # the image would keep the cache
# shellcheck disable=SC2086 # two words
pip install -q $cache ${TORCH_INDEX:+--index-url "$TORCH_INDEX"} $torch
extras=dev
[ $on_gradescope = yes ] && extras=
# shellcheck disable=SC2086 # nothing or one word
pip install -q $cache -c "$here/constraints.txt" "$here${extras:+[$extras]}"
# Making matplotlib's list of fonts takes seconds: once here, not in every grading.
MPLCONFIGDIR="$venv/share/matplotlib-cache" "$venv/bin/python" -c 'import matplotlib.font_manager'
if [ $on_gradescope = yes ]; then # a second lock: workers need only the environment
  chmod -R go-rwx "$here/autograder" "$here/student_template"
fi
"$venv/bin/python" -c 'import torch; print("setup.sh: done, torch", torch.__version__)'
