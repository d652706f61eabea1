# What scripts/quickstart and scripts/test share. To be sourced by bash, in the
# project's root.
# shellcheck shell=bash

# CMake writes a new precompiled header for every build tree, and ccache trusts
# one only if it is told not to look at times.
# Trees of one source compile alike, wherever they are.
export CCACHE_NOHASHDIR=1
export CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime

say() {
  printf '%s\n' "$*"
}

die() {
  printf '%s: %s\n' "${0##*/}" "$*" >&2
  exit 1
}

# Installs what scripts/packages names and is missing; nothing if all is there.
install_packages() {
  local package missing=() sudo=()
  command -v dpkg-query > /dev/null \
    || die "this is no Debian; install what scripts/packages names by other" \
      "means, and build with cmake -S . -B build"
  while read -r package; do
    [[ -z $package || $package == '#'* ]] && continue
    dpkg-query -W -f='${db:Status-Status}\n' "$package" 2> /dev/null \
      | grep -qx installed || missing+=("$package")
  done < scripts/packages
  if ((${#missing[@]} == 0)); then
    say "All packages are installed."
    return
  fi
  say "Installing ${#missing[@]} packages: ${missing[*]}"
  if ((EUID != 0)); then
    command -v sudo > /dev/null \
      || die "packages are missing, and there is no sudo; run this as root:" \
        "apt-get install --no-install-recommends ${missing[*]}"
    sudo=(sudo)
  fi
  local apt=("${sudo[@]}" env DEBIAN_FRONTEND=noninteractive
    apt-get -qq -o DPkg::Lock::Timeout=300)
  "${apt[@]}" update > /dev/null \
    || die "apt-get update failed; is the network there?"
  "${apt[@]}" install -y --no-install-recommends "${missing[@]}" > /dev/null \
    || die "apt-get could not install all of: ${missing[*]}"
}

# configure TREE [CMAKE OPTION...]: quiet, unless it fails.
configure() {
  local tree=$1 log
  shift
  mkdir -p "$tree"
  log=$tree/configure.log
  cmake -S . -B "$tree" -G Ninja "$@" > "$log" 2>&1 || {
    cat "$log" >&2
    die "cmake could not configure $tree; the reason is above"
  }
}

# build TREE TARGET...
build() {
  local tree=$1
  shift
  cmake --build "$tree" --target "$@" \
    || die "$tree could not be built; the first error above is the one to mend"
}

# How all scripts configure build/: one tree, so that none of them makes another
# build everything again.
# shellcheck disable=SC2034
release_options=(-DCMAKE_BUILD_TYPE=Release -DWEIR_STRICT=ON)
