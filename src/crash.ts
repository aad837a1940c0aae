import type { ServiceLog } from './service-log.ts'

/**
 * What happens by default when a rule of the program broke: it is logged, and the process ends with the error, since nothing
 * that goes on from a broken rule can be trusted. The next start looks at the disks anew.
 */
export function crashTo(log: ServiceLog): (error: unknown) => void {
  return (error) => {
    log.fatal({ error }, 'rule-broken')
    setImmediate(() => {
      throw error
    })
  }
}
