#!/bin/sh
# Fails unless every header compiles alone, may be included twice and has the
# guard that its path asks for, and each .c file includes its own header first.
# Usage: check_headers.sh, in the root of the tree; CC names the compiler.
set -eu

fail=0
complain() {
    echo "$1: $2"
    fail=1
}

check_guard() {
    guard=$(echo "${1#src/}" | tr 'a-z/.-' 'A-Z___')
    grep -q "^#ifndef $guard\$" "$1" &&
        grep -q "^#define $guard\$" "$1" &&
        tail -n 1 "$1" | grep -q "^#endif /\* $guard \*/\$" ||
        complain "$1" "include guard must be $guard"
}

check_compiles() {
    case $1 in
    src/os/* | src/app/* | src/wasm/* | test/*) view=-D_GNU_SOURCE ;;
    *) view=-U_GNU_SOURCE ;;
    esac
    printf '#include "%s"\n#include "%s"\n' "$PWD/$1" "$PWD/$1" |
        ${CC:-cc} -std=c17 $view -Wall -Wextra -Werror -Isrc -Itest/unit \
            -fsyntax-only -xc - || complain "$1" 'does not compile alone'
}

check_first_include() {
    header=${1%.c}.h
    [ -e "$header" ] || return 0
    first=$(grep -m1 '^#include' "$1" || true)
    [ "$first" = "#include \"${header#src/}\"" ] ||
        complain "$1" "must include \"${header#src/}\" first"
}

for folder in src test; do
    [ -d "$folder" ] || continue
    for file in $(find "$folder" -name '*.h' | sort); do
        check_guard "$file"
        check_compiles "$file"
    done
done
for file in $(find src -name '*.c' | sort); do
    check_first_include "$file"
done
exit $fail
