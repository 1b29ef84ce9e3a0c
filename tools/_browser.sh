# Sourced by tools/test after _env.sh. Installs Chromium where it is missing, on Debian as root; elsewhere the tests of
# pages say that they are skipped.

ensure_browser() {
    local name
    for name in chromium chromium-browser google-chrome; do
        if command -v "$name" >/dev/null; then
            return
        fi
    done
    if [[ "$(id -u)" != 0 || ! -e /etc/debian_version ]]; then
        say "no Chromium was found: tests of pages are skipped"
        return
    fi
    say "installing Chromium for the tests of pages"
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        chromium fonts-liberation; } </dev/null >/dev/null 2>&1 || say "Chromium cannot be installed: tests of pages are skipped"
}

ensure_browser
