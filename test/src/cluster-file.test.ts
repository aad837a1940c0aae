// Goal: a cluster has the nodes and storage groups that its file says, and whatever cannot be one is refused with its place.
// Method: texts of files, read by the reader and judged by the JSON Schema.
import { Ajv2020 } from 'ajv/dist/2020.js'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { ReplicationError } from '../../engine/error.ts'
import { parseClusterText } from '../../src/cluster-file.ts'
import { parseConfigText } from '../../src/config-file.ts'
import { configSchema } from '../../src/config-schema.ts'

const NODES = `nodes:
  node1: { data: n1, listen: 127.0.0.1:7700, manage: 127.0.0.1:7701 }
  node2: { data: /data/n2, listen: 127.0.0.1:0, manage: '[::1]:7702' }
`
const GROUPS = `storageGroups:
  SG1: { active: node1, copies: [node2] }
  SG2: { active: node2, baseName: E07 }
`

function refusal(text: string): ReplicationError {
  try {
    parseClusterText(text, '/etc/ccr.yaml')
  } catch (error) {
    if (error instanceof ReplicationError) return error
    throw error
  }
  throw new Error('it was taken')
}

describe('a cluster', () => {
  it('is read with paths relative to its file, base names in their order, and the settings beside it', () => {
    const text = `${NODES}${GROUPS}log:\n  level: debug\n`

    expect(parseClusterText(text, '/etc/ccr.yaml')).toEqual({
      nodes: [
        {
          name: 'node1',
          data: '/etc/n1',
          listen: { host: '127.0.0.1', port: 7700 },
          manage: { host: '127.0.0.1', port: 7701 },
        },
        {
          name: 'node2',
          data: '/data/n2',
          listen: { host: '127.0.0.1', port: 0 },
          manage: { host: '::1', port: 7702 },
        },
      ],
      groups: [
        { name: 'SG1', baseName: 'E00', active: 'node1', copies: ['node2'] },
        { name: 'SG2', baseName: 'E07', active: 'node2', copies: [] },
      ],
    })
    expect(parseConfigText(text, '/etc/ccr.yaml')).toMatchObject([{ key: 'log.level', value: 'debug' }])
  })

  it('has standby targets with their lags, 24 hours and nothing unless they are given', () => {
    const copies = '{ node: node2, kind: scr, truncationLag: 0.00:30:00 }'
    const text = `${NODES}storageGroups:\n  SG1: { active: node1, copies: [${copies}] }\n  SG2: { active: node2, copies: [{ node: node1 }] }\n`
    const [standby, plain] = parseClusterText(text, '/etc/ccr.yaml').groups

    expect(standby).toMatchObject({ copies: ['node2'] })
    expect(standby?.standby).toEqual(new Map([['node2', { replayLagMs: 86_400_000, truncationLagMs: 1_800_000 }]]))
    expect(plain).toEqual({ name: 'SG2', baseName: 'E01', active: 'node2', copies: ['node1'] })
    expect(new Ajv2020().compile(configSchema())(parse(text))).toBe(true)
  })

  it.each([
    ['', '1:1', 'no section nodes', 'storageGroups'],
    [NODES, '1:1', 'no section storageGroups', 'storageGroups'],
    ['nodes: {}\n', '1:1', 'section nodes is empty', 'nodes'],
    [`${NODES}storageGroups:\n  SG1: { active: nod1 }\n`, '5:18', 'unknown key nod1', 'Did you mean node1'],
    [`${NODES}storageGroups:\n  SG1: { activ: node1 }\n`, '5:10', 'unknown key activ', 'Did you mean active'],
    [`${NODES}storageGroups:\n  SG1: { copies: [node2] }\n`, '5:3', 'SG1 has no active', 'active'],
    [`${NODES}storageGroups:\n  SG1: { active: node1, copies: node2 }\n`, '5:25', 'no list', '[node2]'],
    [`${NODES}storageGroups:\n  SG1: { active: node1, copies: [node1] }\n`, '5:34', 'where it is active', 'another'],
    [`${NODES}storageGroups:\n  SG1: { active: node1, copies: [node2, node2] }\n`, '5:3', 'two copies', 'once'],
    [
      `${NODES}storageGroups:\n  SG1: { active: node1, copies: [{ nod: node2 }] }\n`,
      '5:36',
      'unknown key nod',
      'Did you mean node',
    ],
    [`${NODES}storageGroups:\n  SG1: { active: node1, copies: [{ kind: scr }] }\n`, '5:25', 'has no node', 'scr'],
    [
      `${NODES}storageGroups:\n  SG1: { active: node1, copies: [{ node: node2, kind: scr, replayLag: 8d }] }\n`,
      '5:71',
      '8d is no lag',
      '7 days',
    ],
    [
      `${NODES}storageGroups:\n  SG1: { active: node1, copies: [{ node: node2, replayLag: 1d }] }\n`,
      '5:60',
      'only a standby target',
      'kind: scr',
    ],
    [
      `${NODES}storageGroups:\n  SG1: { active: node1, copies: [{ node: node2, kind: lcr }] }\n`,
      '5:55',
      'no kind of copy',
      'ccr or scr',
    ],
    [`${NODES}storageGroups:\n  ../SG: { active: node1 }\n`, '5:3', 'no name', 'letters'],
    [`${NODES}storageGroups:\n  SG1: { active: node1, baseName: EEEE }\n`, '5:35', 'no base name', 'E00'],
    ['nodes:\n  node1: { data: x, listen: 0.0.0.0:1, manage: 127.0.0.1:1 }\n', '2:29', '0.0.0.0', '127.0.0.1'],
    ['nodes:\n  node1: { data: x, listen: 127.0.0.1:1 }\n', '2:3', 'node1 has no manage', 'manage'],
    [
      'nodes:\n  node1: { data: [x], listen: 127.0.0.1:1, manage: 127.0.0.1:1 }\n',
      '2:12',
      'data is not a text',
      'data',
    ],
    ['nodes:\n  node1: here\n', '2:3', 'node1 has no keys', 'nodes'],
  ])('is refused with line and column: %j', (text, place, message, hint) => {
    const { message: said, hint: advised } = refusal(text)

    expect(said).toContain(`/etc/ccr.yaml:${place}: `)
    expect(said).toContain(message)
    expect(advised).toContain(hint)
  })

  it('has no more nodes and storage groups than Exchange had', () => {
    const nodes = Array.from(
      { length: 9 },
      (_, at) => `  n${at}: { data: x, listen: 127.0.0.1:1, manage: 127.0.0.1:2 }\n`,
    )
    const groups = Array.from({ length: 51 }, (_, at) => `  SG${at}: { active: node1 }\n`)

    expect(refusal(`nodes:\n${nodes.join('')}`).message).toContain('10:3: section nodes has more than 8')
    expect(refusal(`${NODES}storageGroups:\n${groups.join('')}`).message).toContain('more than 50')
  })
})

describe('the schema of a cluster', () => {
  const validate = new Ajv2020({ strict: false }).compile(configSchema())

  it('takes what the reader takes', () => {
    expect(validate(parse(`${NODES}${GROUPS}log:\n  level: debug\n`))).toBe(true)
  })

  it.each([
    { nodes: { node1: { data: 'x', listen: '127.0.0.1:1' } } },
    { nodes: { node1: { data: 'x', listen: 'here', manage: '127.0.0.1:1' } } },
    { storageGroups: { SG1: { activ: 'node1' } } },
    { storageGroups: { SG1: { active: 'node1', copies: 'node2' } } },
    { storageGroups: { SG1: { active: 'node1', baseName: 'EEEE' } } },
  ])('refuses what the reader refuses: %j', (document) => {
    expect(validate(document)).toBe(false)
  })
})
