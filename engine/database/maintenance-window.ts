/** The hours of each day in which online maintenance may work, in minutes since midnight, from 0 to 1,440. */
export interface MaintenanceWindow {
  readonly fromMinute: number
  /** Below `fromMinute` for a window that goes over midnight. */
  readonly toMinute: number
}

const WINDOW = /^([01]\d|2[0-4]):([0-5]\d)-([01]\d|2[0-4]):([0-5]\d)$/
const DAY_MINUTES = 24 * 60

/** Reads a window such as `01:00-05:00`, `22:00-04:00` or `00:00-24:00`; null for a text that is none, or a window of no minute. */
export function parseMaintenanceWindow(text: string): MaintenanceWindow | null {
  const [, fromHour, fromRest, toHour, toRest] = WINDOW.exec(text) ?? []
  const fromMinute = Number(fromHour) * 60 + Number(fromRest)
  const toMinute = Number(toHour) * 60 + Number(toRest)
  const isOfDay = fromMinute < DAY_MINUTES && toMinute <= DAY_MINUTES
  return isOfDay && fromMinute !== toMinute ? { fromMinute, toMinute } : null
}

/** Whether a minute of the day, from 0 to 1,439, lies in the window: its first minute does, its last one does not. */
export function isInWindow({ fromMinute, toMinute }: MaintenanceWindow, minute: number): boolean {
  if (fromMinute < toMinute) return minute >= fromMinute && minute < toMinute
  return minute >= fromMinute || minute < toMinute
}
