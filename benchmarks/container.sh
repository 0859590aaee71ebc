#!/usr/bin/env bash
# A real container's life without a container engine, as far as that can be had:
#   benchmarks/container.sh [--bundle ZIP] [--keep] [--no-new-privs] [SUBMISSION ...]
#
# Makes a bare Debian (or Ubuntu, on Ubuntu) root with debootstrap, lays /autograder out as
# Gradescope does, runs setup.sh in it once and run_autograder once for each submission, every time
# on a fresh copy, and prints scores, times and sizes. Everything inside runs by chroot, in PID,
# mount, IPC and UTS namespaces of its own, as root with the capabilities that Docker leaves by
# default and an almost empty environment.
#
#   --bundle ZIP     the zip to try (default: dist/autograder.zip, see `python -m autograder bundle`)
#   --no-new-privs   set no_new_privs too, as `docker run --security-opt no-new-privileges` does
#   --keep           leave the root and say where it is
#   --root FOLDER    use one that was kept, where setup.sh has run
#   --odd            then grade the reference in containers that are odd in one way each
#   SUBMISSION       folders (default: the reference, the template, two wrong solutions, one that
#                    Python cannot read, and an empty folder)
#
# Needs root, debootstrap, and a configured apt; the mirror is the machine's own. Inside, pip is
# configured as it is outside. Not tried here: Docker's seccomp profile, and the network between the
# platform and its containers. Limits on memory and CPU: benchmarks/machines.py.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

bundle=dist/autograder.zip
keep=no
old_root=
odd=no
no_new_privs=
submissions=()
while [ $# -gt 0 ]; do
  case $1 in
    --bundle) bundle=$2; shift ;;
    --keep) keep=yes ;;
    --root) old_root=$2; shift ;;
    --odd) odd=yes ;;
    --no-new-privs) no_new_privs=--no-new-privs ;;
    -*) echo "container.sh: unknown option $1" >&2; exit 2 ;;
    *) submissions+=("$1") ;;
  esac
  shift
done
[ "$(id -u)" = 0 ] || { echo "container.sh: chroot needs root" >&2; exit 2; }
for tool in debootstrap unshare setpriv chroot; do
  command -v $tool >/dev/null || { echo "container.sh: $tool is missing" >&2; exit 2; }
done
[ -f "$bundle" ] || { echo "container.sh: no $bundle; make it: python -m autograder bundle" >&2; exit 2; }

work=$(mktemp -d "${TMPDIR:-/tmp}/container.XXXXXX")
chmod 755 "$work"
root=$work/root
clean_up() {
  # All mounts belong to namespaces that ended with their processes: nothing is mounted here.
  if [ $keep = yes ]; then echo "kept: $work"; else rm -rf --one-file-system "$work"; fi
}
trap clean_up EXIT

# ---- entering it ------------------------------------------------------------------------------

# What Docker leaves to root in a container by default.
capabilities=+chown,+dac_override,+fsetid,+fowner,+mknod,+net_raw,+setgid,+setuid,+setfcap
capabilities=$capabilities,+setpcap,+net_bind_service,+sys_chroot,+kill,+audit_write

# inside COPY COMMAND ...: run a command in the root, with /proc, /dev/shm and pip's local folders;
# with a folder COPY in a copy of the root that costs nothing (an overlay), with - in the root itself.
inside() {
  local copy=$1
  shift
  # shellcheck disable=SC2016 # expanded by the inner shell
  unshare --mount --pid --ipc --uts --fork --kill-child bash -c '
    set -e
    place=$1 copy=$2 capabilities=$3 no_new_privs=$4 folders=$5 proc=$6
    shift 6
    hostname container
    if [ "$copy" != - ]; then
      mkdir -p "$copy/upper" "$copy/work" "$copy/root"
      layers=lowerdir=$place,upperdir=$copy/upper,workdir=$copy/work
      place=$copy/root
      mount -t overlay overlay -o "$layers" "$place"
    fi
    [ "$proc" = no ] || mount -t proc -o nosuid,nodev,noexec proc "$place/proc"
    mount -t tmpfs -o nosuid,nodev,noexec,size=64m shm "$place/dev/shm"
    for folder in $folders; do
      mkdir -p "$place$folder"
      mount --bind "$folder" "$place$folder"
      mount -o remount,bind,ro "$place$folder"
    done
    # shellcheck disable=SC2086 # nothing or one word
    exec env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root \
      setpriv --bounding-set "-all,$capabilities" --inh-caps=-all --clear-groups $no_new_privs \
      chroot "$place" "$@"
  ' container "$root" "$copy" "$capabilities" "$no_new_privs" "$pip_folders" "${proc:-yes}" "$@"
}

seconds() { date +%s.%N; }
since() { awk -v a="$1" -v b="$(seconds)" 'BEGIN { printf "%.1f", b - a }'; }
# What `times` printed last into a file: the CPU seconds of a shell and of what it started.
cpu_of() {
  tail -n 2 "$1" | tr -s 'ms \n' ' ' |
    awk '{ for (i = 1; i < NF; i += 2) sum += 60 * $i + $(i + 1); printf "%.1f", sum }'
}
megabytes() { du -xsm "$1" | cut -f1; }

# ---- the image --------------------------------------------------------------------------------

# pip's configuration of this machine, as a file; folders that it names are shown inside.
pip_settings() {
  python3 -m pip config list 2>/dev/null | python3 -c '
import ast, sys
settings = {}
for line in sys.stdin:
    name, _, value = line.strip().partition("=")
    key = name.rpartition(".")[2]
    if name.startswith(":env:") or key not in settings:
        settings[key] = ast.literal_eval(value)
settings.pop("user", None)
print("[global]")
for key, value in settings.items():
    print(key, "=", value.replace("\n", " "))
'
}

make_root() {
  local mirror suite started
  # shellcheck disable=SC2016 # apt's own fields
  mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | head -n 1)
  # shellcheck disable=SC1091
  suite=$(. /etc/os-release && echo "$VERSION_CODENAME")
  started=$(seconds)
  debootstrap --variant=minbase "$suite" "$root" "$mirror" >"$work/debootstrap.log" 2>&1 ||
    { tail -n 5 "$work/debootstrap.log" >&2; exit 1; }
  cp -L /etc/resolv.conf /etc/hosts "$root/etc/"
  pip_settings >"$root/etc/pip.conf"
  local certificates
  certificates=$(sed -n 's/^cert = //p' "$root/etc/pip.conf")
  if [ -n "$certificates" ]; then # under a name that the package ca-certificates leaves alone
    cp -L "$certificates" "$root/etc/pip-certificates.crt"
    sed -i 's,^cert = .*,cert = /etc/pip-certificates.crt,' "$root/etc/pip.conf"
  fi
  echo "A bare root: $suite, $(megabytes "$root") MB, made in $(since "$started") s."
}

lay_out() {
  mkdir -p "$root/autograder/submission" "$root/autograder/results"
  python3 - "$bundle" "$root/autograder/source" <<'PYTHON'
import pathlib, sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as bundle:
    for info in bundle.infolist():
        target = pathlib.Path(bundle.extract(info, sys.argv[2]))
        target.chmod(info.external_attr >> 16 & 0o777)
PYTHON
  cp -p "$root/autograder/source/run_autograder" "$root/autograder/"
}

set_up() {
  local before started status=0
  before=$(megabytes "$root")
  started=$(seconds)
  # shellcheck disable=SC2016 # expanded inside
  inside - bash -c 'cd /autograder/source; ./setup.sh; s=$?; times; exit $s' \
    >"$work/setup.log" 2>&1 || status=$?
  echo "setup.sh: status $status after $(since "$started") s ($(cpu_of "$work/setup.log") s of CPU);" \
    "it installed $(($(megabytes "$root") - before)) MB, of which .venv has" \
    "$(megabytes "$root/autograder/source/.venv") MB. It said:"
  grep '^setup.sh' "$work/setup.log" | sed 's/^/  | /'
  [ $status = 0 ] || { tail -n 40 "$work/setup.log"; exit 1; }
  echo "  python: $(inside - /autograder/source/.venv/bin/python -V)," \
    "$(sed -n 's/^CapEff:[[:space:]]*/capabilities /p' <(inside - cat /proc/self/status))"
}

# ---- submissions ------------------------------------------------------------------------------

make_submissions() {
  .venv/bin/python - "$work/submissions" <<'PYTHON'
import pathlib, sys
from autograder.homework.mistakes.cases import all_cases
cases = {case.id: case for case in all_cases(pathlib.Path("reference"), pathlib.Path("student_template"))}
wanted = {name: dict(cases[name].files)
          for name in ("reference", "template", "inverse-log-det-sign", "gp-norms-detached")}
broken = dict(wanted["reference"])
broken["codebase/gan.py"] = broken["codebase/gan.py"].replace("return g_loss", "return g_loss)")
wanted |= {"syntax-error-in-gan.py": broken, "empty-folder": {}}
for number, (name, files) in enumerate(wanted.items(), 1):
    folder = pathlib.Path(sys.argv[1]) / f"{number}-{name}"
    folder.mkdir(parents=True)
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
PYTHON
  submissions=("$work"/submissions/*)
}

grade() {
  local submission=$1 copy started status=0 autograder
  copy=$work/copy
  mkdir -p "$copy/upper/autograder/submission"
  autograder=$copy/upper/autograder
  cp -R "$submission/." "$autograder/submission/"
  # As the platform leaves it: readable by everybody, with earlier results in it.
  echo '{"id": 1, "previous_submissions": [{"results": {"output": "hidden"}}]}' \
    >"$autograder/submission_metadata.json"
  started=$(seconds)
  # shellcheck disable=SC2016 # expanded inside
  inside "$copy" bash -c 'cd /autograder && ./run_autograder; s=$?; times >&2; exit $s' \
    >"$work/stdout" 2>"$work/stderr" || status=$?
  python3 - "$(basename "$submission")" "$status" "$(since "$started")" "$(cpu_of "$work/stderr")" \
    "$autograder" "$work/stdout" <<'PYTHON'
import json, pathlib, re, sys
name, status, wall, cpu, autograder, log = sys.argv[1:]
results = pathlib.Path(autograder, "results", "results.json")
metadata = pathlib.Path(autograder, "submission_metadata.json").stat().st_mode & 0o777
results_json = json.loads(results.read_text())
tests = results_json.get("tests", [])
score, most = (sum(test.get(key, 0) for test in tests) for key in ("score", "max_score"))
failed = next((t for t in tests if t.get("status") == "failed"), None)
said = failed["output"].split("\n") if failed else [""]
print(f"\n{name}: {score:g} of {most:g} points; status {status}, {wall} s of wall time, {cpu} s "
      f"of CPU; metadata left with mode {metadata:o}")
if failed:
    print(f"  first failing: {failed['name']}")
    for line in said[:6]:
        print(f"  | {line}")
for line in re.findall(r"^confine: .*: no.*$", pathlib.Path(log).read_text(), re.MULTILINE):
    print(f"  log: {line}")
PYTHON
  rm -rf --one-file-system "$copy"
}

# Grade the reference in a copy of the root in which a command was run first; one line.
grade_oddly() {
  local what=$1 before=$2 command=${3:-/autograder/run_autograder} copy=$work/copy status=0
  mkdir -p "$copy/upper/autograder"
  cp -R reference "$copy/upper/autograder/submission"
  echo '{}' >"$copy/upper/autograder/submission_metadata.json"
  # shellcheck disable=SC2016 # expanded inside
  inside "$copy" bash -c 'cd /autograder; eval "$1"; shift; exec "$@"' bash "$before" \
    bash -c "$command" >"$work/stdout" 2>"$work/stderr" || status=$?
  python3 - "$what" "$status" "$copy/upper/autograder/results/results.json" "$work/stdout" <<'PYTHON'
import json, pathlib, re, sys
what, status, results, stdout = sys.argv[1:]
try:
    results_json = json.loads(pathlib.Path(results).read_text())
    tests = results_json.get("tests", [])
    points = "{:g} of {:g}".format(*(sum(t.get(k, 0) for t in tests) for k in ("score", "max_score")))
    said = "" if tests else results_json["output"]
except (OSError, ValueError) as error:
    points, said = "no results", str(error)
missing = re.findall(r"^confine: (.*: no.*)$", pathlib.Path(stdout).read_text(), re.MULTILINE)
print(f"  {what:<58} {points:>10} (status {status}) {said}", *missing, sep="\n      ", end="\n")
PYTHON
  rm -rf --one-file-system "$copy"
}

odd_containers() {
  echo
  echo "Odd containers, the reference in each:"
  grade_oddly "nothing changed" true
  grade_oddly "results/ is missing, and so is the metadata" \
    'rm -rf results submission_metadata.json'
  grade_oddly "metadata of mode 0600 that belongs to somebody else" \
    'chmod 600 submission_metadata.json; chown 1234 submission_metadata.json'
  grade_oddly "a submission of mode 0700 that belongs to somebody else" \
    'chown -R 1234:1234 submission; chmod -R go-rwx submission'
  grade_oddly "source/ of mode 0700" 'chmod 700 source'
  grade_oddly "/autograder of mode 0750" 'chmod 750 /autograder'
  grade_oddly "umask 077" 'umask 077'
  grade_oddly "LC_ALL=C" 'export LC_ALL=C'
  grade_oddly "LC_ALL of a locale that is not installed" 'export LC_ALL=de_DE.ISO-8859-1'
  grade_oddly "PYTHONPATH and PYTHONHOME of somebody else" \
    'export PYTHONPATH=/tmp PYTHONHOME=/tmp; echo "raise SystemExit(7)" >/tmp/json.py'
  grade_oddly "no environment at all, another working directory" 'cd /' \
    'exec -c /autograder/run_autograder'
  proc=no grade_oddly "no /proc" true
  grade_oddly "no room in /dev/shm" 'dd if=/dev/zero of=/dev/shm/full bs=1M 2>/dev/null; true'
  grade_oddly "TMPDIR that is not there" 'export TMPDIR=/nowhere'
  grade_oddly "no_new_privs" true 'exec setpriv --no-new-privs /autograder/run_autograder'
  grade_oddly "no capability at all" true \
    'exec setpriv --bounding-set=-all --inh-caps=-all /autograder/run_autograder'
  grade_oddly "not root" \
    'mkdir -p results; chown -R 1234 results submission_metadata.json' \
    'exec setpriv --reuid 1234 --regid 1234 --clear-groups /autograder/run_autograder'
  grade_oddly "one CPU" true 'exec taskset -c 0 /autograder/run_autograder'
  grade_oddly "graded twice in the same container" /autograder/run_autograder
  grade_oddly "setup.sh had failed: no environment" 'rm -rf source/.venv'
  grade_oddly "settings that are wrong" 'sed -i "s/^seed.*/seed = x/" source/autograder/homework/*.toml'
}

# ---- its life ---------------------------------------------------------------------------------

# What pip's settings name by a path or as file://: folders of wheels, or of an index, whose
# simple/ points to files beside it.
pip_folders=
for word in $(pip_settings | sed -n 's/^\(extra-\)\?index-url = //p; s/^find-links = //p'); do
  folder=${word#file://}
  folder=${folder%/simple}
  case $word in
    /* | file://*) [ -d "$folder" ] && pip_folders="$pip_folders $folder" ;;
  esac
done
if [ -n "$old_root" ]; then
  root=$old_root
else
  make_root
  lay_out
  set_up
fi
[ ${#submissions[@]} -gt 0 ] || make_submissions
for submission in "${submissions[@]}"; do
  grade "$submission"
done
if [ $odd = yes ]; then odd_containers; fi
