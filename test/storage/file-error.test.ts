// Goal: each error of the system becomes a code that says what to do, and keeps the system's own name.
// Method: the table of errors and operations that matter, then errors of the real system where a test can cause them.
import { describe, expect, it } from 'vitest'
import type { ErrorCode } from '../../engine/error.ts'
import {
  asReplicationError,
  errnoOf,
  type FileOperation,
  fileError,
  isDirectRefused,
} from '../../storage/file-error.ts'
import { nodeFileOperations } from '../../storage/node-file-operations.ts'

const TABLE: readonly (readonly [FileOperation, string, ErrorCode])[] = [
  ['write', 'ENOSPC', 'DISK_FULL'],
  ['create', 'EDQUOT', 'DISK_FULL'],
  ['write', 'EFBIG', 'DISK_FULL'],
  ['create', 'EACCES', 'DIRECTORY_NOT_WRITABLE'],
  ['link', 'EROFS', 'DIRECTORY_NOT_WRITABLE'],
  ['unlink', 'EPERM', 'DIRECTORY_NOT_WRITABLE'],
  ['open', 'EACCES', 'READ_FAILED'],
  ['read', 'EIO', 'READ_FAILED'],
  ['open', 'EMFILE', 'READ_FAILED'],
  ['write', 'EIO', 'WRITE_FAILED'],
  ['link', 'EXDEV', 'WRITE_FAILED'],
  ['rename', 'EBUSY', 'FILE_HELD'],
  ['open', 'EAGAIN', 'FILE_HELD'],
  ['open', 'ENOENT', 'LOG_MISSING'],
  ['create', 'ENOENT', 'DIRECTORY_MISSING'],
  ['read directory', 'ENOTDIR', 'DIRECTORY_MISSING'],
  ['open', 'ELOOP', 'FILE_NOT_REGULAR'],
  ['create', 'ENAMETOOLONG', 'NAME_INVALID'],
  ['datasync', 'EIO', 'SYNC_FAILED'],
  ['datasync', 'ENOSPC', 'SYNC_FAILED'],
  ['sync directory', 'EROFS', 'SYNC_FAILED'],
  ['sync directory', 'ENOENT', 'DIRECTORY_MISSING'],
]

describe('an error of the file system', () => {
  it.each(TABLE)('in %s with %s is %s', (operation, errno, code) => {
    const error = fileError({ operation, path: '/logs/E00.log', errno })

    expect(error).toMatchObject({ code, fields: { path: '/logs/E00.log', operation, errno } })
    expect(error.message).toMatch(
      new RegExp(`^cannot ${operation} /logs/E00.log: (?:[a-z -]+ \\(${errno}\\)|${errno})$`),
    )
    expect(error.hint).toMatch(/^[A-Z].*\.$/)
  })

  it('of the real system keeps its cause', async () => {
    const files = nodeFileOperations({ shortCalls: 'pooled' })

    const error = asReplicationError(await files.open('/proc/none', 'create').catch((thrown) => thrown))

    expect(error.fields['errno']).toBe(errnoOf(error.cause))
    expect(isDirectRefused(error)).toBe(false)
  })

  it('is told from a fault of the program, which goes on as it is', () => {
    const fault = new TypeError('not a function')

    expect(() => asReplicationError(fault)).toThrow(fault)
    expect(errnoOf(fault)).toBe('UNKNOWN')
  })
})
