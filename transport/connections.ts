import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { endWithProblem, type ProblemDocument } from './problem.ts'

/**
 * The connections of one listener and what each is in the middle of. Two decisions need it: what the parser refuses may be
 * answered only where no other answer has begun (the refusal would be read as its next bytes), and at the end a connection
 * that nobody uses must not be waited for (Node calls one idle only after its first request).
 */
export class Connections {
  readonly #open = new Map<Duplex, Set<ServerResponse>>()
  #closing = false

  /** A connection stands. */
  opened(socket: Socket): void {
    this.#open.set(socket, new Set())
    socket.once('close', () => this.#open.delete(socket))
  }

  /** A request has come on a connection; it is under way until the answer closes. */
  answering(socket: Socket, answer: ServerResponse): void {
    const answers = this.#open.get(socket)
    answers?.add(answer)
    answer.once('close', () => {
      answers?.delete(answer)
      if (this.#closing && answers?.size === 0) socket.destroySoon()
    })
  }

  /** False, and the socket destroyed, when it is too late to hand a connection over. */
  mayUpgrade(socket: Duplex): boolean {
    if (this.#closing) socket.destroy()
    return !this.#closing
  }

  /** Tells the sender of bytes that are no request what is wrong with them, where he can still understand it. */
  endUnparsed(socket: Duplex, problem: ProblemDocument): void {
    const answers = [...(this.#open.get(socket) ?? [])]
    const midAnswer = answers.some((answer) => answer.headersSent && !answer.writableFinished)
    if (!socket.writable || midAnswer) socket.destroy()
    else endWithProblem(socket, problem)
  }

  /** Ends every connection: those without a request and those handed over at once, the others with their answer. */
  endAll(): void {
    this.#closing = true
    for (const [socket, answers] of this.#open) if (answers.size === 0) socket.destroy()
  }

  /** Ends what is left, in the middle of its answer. */
  cutAll(): void {
    for (const socket of this.#open.keys()) socket.destroy()
  }
}
