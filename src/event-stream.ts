import { ReplicationError } from '../engine/error.ts'

/** One message of a server-sent event stream. */
export interface StreamMessage {
  /** The last `id` seen, `''` before the first. */
  readonly id: string
  /** `message` where the stream names none. */
  readonly event: string
  readonly data: string
}

/** The longest message taken, in characters: an event is a few hundred. */
const MESSAGE_CHARACTERS_MAX = 256 * 1024

/**
 * Reads a server-sent event stream. Comments (keep-alives) and messages without data are passed over.
 *
 * Errors: `WIRE_PROTOCOL` for a message without end. Source: the HTML standard, 9.2.6.
 */
export async function* readEventStream(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<StreamMessage> {
  const decoder = new TextDecoder()
  let rest = ''
  let message: StreamMessage = { id: '', event: 'message', data: '' }
  for await (const chunk of bytes) {
    rest += decoder.decode(chunk, { stream: true })
    // A carriage return at the end of a chunk may be half of a line end.
    const lines = rest.split(/\r\n|\n|\r(?!$)/)
    rest = lines.pop() ?? ''
    for (const line of lines) {
      if (line !== '') message = withField(message, line)
      else {
        if (message.data !== '') yield { ...message, data: message.data.slice(0, -1) }
        message = { id: message.id, event: 'message', data: '' }
      }
    }
    if (rest.length + message.data.length > MESSAGE_CHARACTERS_MAX) throw endless()
  }
}

function withField(message: StreamMessage, line: string): StreamMessage {
  const parts = /^([^:]*)(?:: ?([\s\S]*))?$/.exec(line)
  const value = parts?.[2] ?? ''
  switch (parts?.[1]) {
    case 'data':
      return { ...message, data: `${message.data}${value}\n` }
    case 'event':
      return { ...message, event: value }
    case 'id':
      return { ...message, id: value }
    default:
      return message
  }
}

function endless(): ReplicationError {
  return new ReplicationError({
    code: 'WIRE_PROTOCOL',
    message: `the event stream has a message of more than ${MESSAGE_CHARACTERS_MAX} characters`,
    hint: 'Check with --server that the address is the management address of ccr share or ccr copy.',
  })
}
