import type { StandbyOptions } from '../engine/replication/standby-lag.ts'
import type { ListenAddress } from '../transport/loopback.ts'

/** One machine of a cluster, or one process that stands for it. */
export interface ClusterNode {
  readonly name: string
  /** Absolute path of the directory with one folder for each storage group. */
  readonly data: string
  /** Where copies on other nodes fetch logs. */
  readonly listen: ListenAddress
  /** Where people and tools ask. */
  readonly manage: ListenAddress
}

/** A storage group with a store of our own on one node, and copies of it on others. */
export interface ClusterGroup {
  readonly name: string
  /** The three letters or digits before the numbers of its logs: `E00`. */
  readonly baseName: string
  /** Name of the node whose store is mounted. */
  readonly active: string
  /** Names of the nodes that keep a copy. */
  readonly copies: readonly string[]
  /** The lags of copies that are standby targets, by node; absent where none is. */
  readonly standby?: ReadonlyMap<string, StandbyOptions>
}

/** What a configuration file says of nodes and storage groups. */
export interface Cluster {
  readonly nodes: readonly ClusterNode[]
  readonly groups: readonly ClusterGroup[]
}

/** The sections of a configuration file that say what a cluster is made of. */
export const CLUSTER_SECTIONS: readonly string[] = ['nodes', 'storageGroups']
/** Nodes of a cluster: as many as clusters of Windows Server 2003 have at most. */
export const NODES_MAX = 8
/** Storage groups. Source: a server of Exchange 2007 Enterprise has 50 of them. */
export const GROUPS_MAX = 50
/** What the logs of a storage group may begin with. */
export const BASE_NAME: RegExp = /^[A-Za-z0-9]{3}$/
