import type { Act } from './step.ts'

/** An act with every count worked out, each in the order in which it was written. */
export function resolveAct<From, To>(act: Act<From>, value: (count: From) => To): Act<To> {
  const optional = (count: From | null): To | null => (count === null ? null : value(count))
  switch (act.kind) {
    case 'close':
      return { ...act, logs: value(act.logs) }
    case 'load':
      return { ...act, messages: optional(act.messages), logs: optional(act.logs) }
    case 'mark':
      return { ...act, through: value(act.through) }
    case 'corrupt-log':
      return { ...act, log: value(act.log) }
    case 'corrupt-transfer':
      return { ...act, log: value(act.log), times: value(act.times) }
    case 'delete-logs':
      return { ...act, first: value(act.first), last: value(act.last) }
    case 'suspend':
    case 'resume':
    case 'network':
    case 'node':
    case 'disable':
    case 'backup':
    case 'release':
    case 'database':
    case 'restore':
    case 'age':
    case 'empty':
    case 'seed':
    case 'file':
      return act
  }
}
