import type { ReplicationError } from '../engine/error.ts'
import { createsFile, type FileOperations } from './file-operations.ts'

/**
 * The same file operations until `failure` answers something: from then on every call that would change or sync something is
 * refused with it. A store that has failed in one place must not write in another, whatever was under way there.
 */
export function fencedOperations(files: FileOperations, failure: () => ReplicationError | null): FileOperations {
  const unlessEnded = <Arguments extends readonly unknown[], Answer>(
    call: (...given: Arguments) => Promise<Answer>,
  ): ((...given: Arguments) => Promise<Answer>) => {
    return (...given) => {
      const ended = failure()
      return ended === null ? call(...given) : Promise.reject(ended)
    }
  }
  const create = unlessEnded(files.open)
  const { unlinkInOrder } = files
  return {
    ...files,
    open: (path, mode) => (createsFile(mode) ? create(path, mode) : files.open(path, mode)),
    write: unlessEnded(files.write),
    datasync: unlessEnded(files.datasync),
    link: unlessEnded(files.link),
    clone: unlessEnded(files.clone),
    rename: unlessEnded(files.rename),
    unlink: unlessEnded(files.unlink),
    ...(unlinkInOrder === undefined ? {} : { unlinkInOrder: unlessEnded(unlinkInOrder) }),
    makeDirectory: unlessEnded(files.makeDirectory),
    removeDirectory: unlessEnded(files.removeDirectory),
    syncDirectory: unlessEnded(files.syncDirectory),
    setModified: unlessEnded(files.setModified),
  }
}
