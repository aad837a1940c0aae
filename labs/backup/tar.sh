#!/bin/sh
# Takes the files of a frozen copy with tar. Run it by the writer:
#
#   ccr writer run SG1 -- labs/backup/tar.sh /backup/monday.tar
#   ccr writer run SG1 --scope incremental --after-thaw -- labs/backup/tar.sh /backup/tuesday.tar
#
# The list of the files comes from the writer. The archive has its name only when it is whole and on the disk.
set -eu
archive=$1
tar --create --absolute-names --no-recursion --file "$archive.partial" --files-from "$CCR_FILE_LIST"
sync "$archive.partial" 2>/dev/null || sync
mv "$archive.partial" "$archive"
