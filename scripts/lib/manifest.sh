# What the kernel shows of a tree, as in tests/fixtures/volume-v1/README.md; sourced. Bash.
#
# manifest FOLDER: a line for each path: kind and mode, links, owner, size, mtime, SHA-256 of content or target, one extended
# attribute, path. In the order of the bytes of the paths.
manifest() (
    cd "$1"
    find . -mindepth 1 -print0 | LC_ALL=C sort -z | while IFS= read -r -d '' path; do
        sum=- xattr=-
        if [ -L "$path" ]; then
            sum=$(readlink -n "$path" | sha256sum | cut -d' ' -f1)
        elif [ -f "$path" ]; then
            sum=$(sha256sum <"$path" | cut -d' ' -f1)
        fi
        if [ ! -L "$path" ]; then
            xattr=$(getfattr --absolute-names -d "$path" 2>/dev/null | sed -n 's/^\(user\.[^=]*\)="\(.*\)"$/\1=\2/p')
        fi
        printf '%s %s %s %s\n' "$(stat -c '%f %h %u:%g %s %.9Y' "$path")" "$sum" "${xattr:--}" "${path#./}"
    done
)
