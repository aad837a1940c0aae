import { randomBytes } from 'node:crypto'

/** Where chance comes from: so many random bytes. Tests give their own. */
export type RandomBytes = (length: number) => Uint8Array

/** The system's random bytes. */
export const systemRandom: RandomBytes = (length) => randomBytes(length)

/** An identity that never repeats: 16 random bytes as 32 hexadecimal digits. */
export function freshId(random: RandomBytes): string {
  return Buffer.from(random(16)).toString('hex')
}
