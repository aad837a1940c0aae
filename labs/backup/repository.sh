#!/bin/sh
# Takes the files of a frozen copy into a repository that keeps each content once, as restic and its like do. Run it by the writer:
#
#   ccr writer run SG1 -- labs/backup/repository.sh take /backup/repository monday
#
# and put a snapshot back into a directory, which ccr backup adopt takes:
#
#   labs/backup/repository.sh extract /backup/repository monday out
#
# REPOSITORY/contents/DIGEST is a content; REPOSITORY/snapshots/NAME has a line "DIGEST PATH" for each file.
set -eu
action=$1 repository=$2 name=$3

take() {
  mkdir -p "$repository/contents" "$repository/snapshots"
  snapshot=$repository/snapshots/$name
  : > "$snapshot.partial"
  while IFS= read -r path; do
    # Read once: what was hashed is what is kept.
    cp "$path" "$repository/arriving"
    digest=$(sha256sum < "$repository/arriving" | cut -d ' ' -f 1)
    if [ -e "$repository/contents/$digest" ]; then rm "$repository/arriving"; else mv "$repository/arriving" "$repository/contents/$digest"; fi
    printf '%s %s\n' "$digest" "$path" >> "$snapshot.partial"
  done < "$CCR_FILE_LIST"
  sync
  mv "$snapshot.partial" "$snapshot"
}

extract() {
  directory=$1
  while read -r digest path; do
    mkdir -p "$directory$(dirname "$path")"
    cp "$repository/contents/$digest" "$directory$path"
  done < "$repository/snapshots/$name"
}

case $action in
  take) take ;;
  extract) extract "$4" ;;
  *) echo "usage: repository.sh take|extract REPOSITORY NAME [DIRECTORY]" >&2; exit 2 ;;
esac
