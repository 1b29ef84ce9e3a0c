# Sourced by the tools. Sets ROOT (the checkout) and PYTHON (the interpreter of its own .venv, made and filled as needed).
# A tool that needs another environment sets ARCHSPEC_VENV, ARCHSPEC_EXTRAS and ARCHSPEC_CONSTRAINTS before it sources this.
#
# A stamp in .venv holds a hash of what was asked for, so a second run installs nothing and changed pins install again.
# The stamp is written last: an installation that was cut off is done again.

unset CDPATH
ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)"
VENV="$ROOT/${ARCHSPEC_VENV:=.venv}"
PYTHON="$VENV/bin/python"
EXTRAS="${ARCHSPEC_EXTRAS:-rtx,openvino,dev}"
CONSTRAINTS="${ARCHSPEC_CONSTRAINTS:-constraints.txt}"
STAMP="$VENV/archspec-installed"
IS_SUPPORTED='import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))'

say() { printf '%s: %s\n' "tools/$(basename "$0")" "$*" >&2; }
die() { say "$*"; exit 1; }

find_python() {
    local name
    for name in ${ARCHSPEC_PYTHON:+"$ARCHSPEC_PYTHON"} python3 python3.13 python3.12 python3.11 python3.14 python; do
        if "$name" -c "$IS_SUPPORTED" >/dev/null 2>&1 </dev/null; then
            printf '%s\n' "$name"
            return
        fi
    done
    die "no Python 3.11 or newer with venv was found; install one, or name it in ARCHSPEC_PYTHON"
}

make_venv() {
    local base
    base="$(find_python)"
    say "making $ARCHSPEC_VENV in $ROOT with $("$base" --version 2>&1)"
    "$base" -m venv --clear "$VENV" </dev/null
}

ensure_venv() {
    if ! "$PYTHON" -c 'import pip' >/dev/null 2>&1 </dev/null; then
        make_venv
    elif ! "$PYTHON" -c "$IS_SUPPORTED" >/dev/null 2>&1 </dev/null; then
        die "$VENV holds $("$PYTHON" --version 2>&1), but 3.11 or newer is needed; remove that folder and run this again"
    fi
}

# The place counts too: an installation that points into a checkout breaks when the checkout moves.
wanted_stamp() {
    "$PYTHON" -I -c '
import hashlib, pathlib, sys
root, extras, constraints = sys.argv[1:]
digest = hashlib.sha256(f"{root}\n{extras}\n{sys.version}\n".encode())
for name in ("pyproject.toml", "setup.py", constraints):
    digest.update(pathlib.Path(root, name).read_bytes())
print(digest.hexdigest())
' "$ROOT" "$EXTRAS" "$CONSTRAINTS" </dev/null
}

ensure_installed() {
    local wanted started=$SECONDS
    wanted="$(wanted_stamp)"
    if [[ -f "$STAMP" && "$(<"$STAMP")" == "$wanted" ]]; then
        return
    fi
    rm -f "$STAMP"
    say "installing archspec and its pinned dependencies into $ARCHSPEC_VENV (a few minutes the first time)"
    (cd "$ROOT" && "$PYTHON" -m pip install --quiet --no-input --disable-pip-version-check \
        -c "$CONSTRAINTS" -e ".[$EXTRAS]" </dev/null >&2) || die "the installation failed; see above"
    printf '%s\n' "$wanted" >"$STAMP.new"
    mv "$STAMP.new" "$STAMP"
    say "installed in $((SECONDS - started)) s"
}

ensure_venv
ensure_installed
