/**
 * Whether a program of one version puts back what another version has backed up: only within a major version, since an upgrade rewrites
 * the database when it is mounted for the first time. Versions are texts as `1.2.3`.
 *
 * Source: the restore rule across service packs; a backup from before one is not restored behind it.
 */
export function isRestorableVersion(madeBy: string, restoredBy: string): boolean {
  return majorOf(madeBy) === majorOf(restoredBy)
}

function majorOf(version: string): string {
  return version.split('.')[0] ?? ''
}
