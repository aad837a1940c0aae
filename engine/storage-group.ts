import { ReplicationError } from './error.ts'

/** The longest storage group name. Exchange takes 64 characters for a storage group. */
const STORAGE_GROUP_NAME_CHARACTERS_MAX = 64

/**
 * Takes in the name of a storage group: letters, digits, space, dot, hyphen, underscore, and not a dot first, so that it can
 * never be read as a path. Errors: `NAME_INVALID`.
 */
export function asStorageGroupName(text: string): string {
  if (
    text.length <= STORAGE_GROUP_NAME_CHARACTERS_MAX &&
    /^[A-Za-z0-9_][A-Za-z0-9 ._-]*$/.test(text) &&
    !text.endsWith(' ')
  )
    return text
  const shown = text.length > 80 ? `${text.slice(0, 80)}… (${text.length} characters)` : text
  throw new ReplicationError({
    code: 'NAME_INVALID',
    message: `${JSON.stringify(shown)} is no name of a storage group`,
    hint: `Use at most ${STORAGE_GROUP_NAME_CHARACTERS_MAX} letters, digits, spaces, dots, hyphens and underscores, as in SG1 or "First Storage Group".`,
  })
}
