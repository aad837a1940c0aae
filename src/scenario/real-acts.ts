import { readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ReplicationError } from '../../engine/error.ts'
import type { Act, ActRefusal } from '../../engine/scenario/step.ts'
import { damageLog, deleteLogs } from './log-damage.ts'
import type { RealMail } from './real-mail.ts'
import { type RealNode, STORAGE_GROUP } from './real-node.ts'
import type { RealSeeds } from './real-seeds.ts'
import type { RealSets } from './real-sets.ts'
import type { RealWorld } from './real-world.ts'
import { refusalOf } from './refusal.ts'

/** Where acts are carried out. */
interface Scene {
  readonly world: RealWorld
  readonly mail: RealMail
  readonly sets: RealSets
  readonly seeds: RealSeeds
}

/** Carries an act out against processes; a refusal is what the product itself said. Errors: whatever else went wrong. */
export async function actForReal(act: Act<number>, scene: Scene): Promise<ActRefusal | null> {
  try {
    if (act.kind === 'backup') return await scene.sets.backUp(act)
    if (act.kind === 'restore') return await scene.sets.restore(act)
    await carryOut(act, scene)
    return null
  } catch (error) {
    if (!(error instanceof ReplicationError) || error.code === 'INTERNAL') throw error
    return refusalOf(error.toJSON(), error.exitCode)
  }
}

async function carryOut(
  act: Exclude<Act<number>, { kind: 'backup' | 'restore' }>,
  { world, mail, sets, seeds }: Scene,
): Promise<void> {
  const { active } = world
  switch (act.kind) {
    case 'close':
      return await mail.close(act.logs)
    case 'load':
      return await mail.load(act)
    case 'suspend':
      return void (await world.node(act.copy).client.suspend(STORAGE_GROUP, act.comment))
    case 'resume':
      return void (await world.node(act.copy).client.resume(STORAGE_GROUP))
    case 'disable':
      return await disable(world, act.copy)
    case 'mark':
      return void (await active.client.markBackup(STORAGE_GROUP, act.through))
    case 'database':
      return void (await active.connection.json('POST', `/api/v1/stores/${STORAGE_GROUP}/${act.change}`, {}))
    case 'release':
      return await (seeds.isHolding ? seeds : sets).release(act.outcome)
    case 'age':
      return sets.age(act)
    case 'empty':
      return await empty(world.node(act.copy))
    case 'seed':
      return await seeds.seed(act)
    case 'file':
      return changeFile(join(world.node(act.on).logs, act.file), act.change)
    case 'network':
      return world.network(act.copy)[act.change]()
    case 'node':
      if (act.change !== 'start') for (const holder of [sets, seeds]) holder.forget(act.node)
      return await changeNode(world, act)
    case 'corrupt-log':
      return damageLog(world.node(act.on).logs, act.log, act.how)
    case 'corrupt-transfer':
      return world.network(act.copy).damageNext(act.times)
    case 'delete-logs':
      return deleteLogs(world.node(act.on).logs, act)
  }
}

async function changeNode(world: RealWorld, { node, change }: Extract<Act<number>, { kind: 'node' }>): Promise<void> {
  if (change === 'start') await world.startNode(world.node(node))
  else await world.endNode(world.node(node), change)
}

function changeFile(path: string, change: 'leave' | 'remove'): void {
  if (change === 'leave') writeFileSync(path, '')
  else rmSync(path)
}

/** Removes the files of a copy, as somebody does by hand. Errors: `STATE_REFUSED` where it is not suspended. */
async function empty(copy: RealNode): Promise<void> {
  const { SummaryCopyStatus: status } = await copy.client.copy(STORAGE_GROUP)
  if (status !== 'Suspended')
    throw new ReplicationError({
      code: 'STATE_REFUSED',
      message: `${copy.name} is ${status}, not suspended`,
      hint: 'Its files are in use: suspend it first.',
    })
  for (const directory of [copy.logs, join(copy.logs, '../database')])
    for (const entry of readdirSync(directory, { withFileTypes: true }))
      if (entry.isFile()) rmSync(join(directory, entry.name))
}

/** The active knows a copy by an identifier, and calls it by host and node. */
async function disable(world: RealWorld, name: string): Promise<void> {
  const { copies } = await world.active.client.share(STORAGE_GROUP)
  const copy = copies.find(({ label }) => label.endsWith(`:${name}`))
  if (copy === undefined) throw new Error(`the active knows no ${name}`)
  await world.active.client.disableCopy(STORAGE_GROUP, copy.copyId)
}
