// cluster.ts -- A Redis Cluster as one connection: each command goes to the node that owns the slot of its key.
//
// Not the Cluster of ioredis, which resends a command whose connection broke, and does not say which server is behind a key. Here
// a command is sent again only after a reply that proves that it did nothing: MOVED, ASK, TRYAGAIN and CLUSTERDOWN. It extends the
// plain connection, so that every command of ioredis has its type, its key prefix and its time limit.

import { setTimeout as pause } from 'node:timers/promises';
import { Command, Redis, type RedisOptions } from 'ioredis';

/** Where a node listens. */
export interface NodeAddress {
  readonly host: string;
  readonly port: number;
}

export interface ClusterOptions {
  /** Some of the nodes; the others are found through them. */
  readonly seeds: readonly NodeAddress[];
  /** Makes a connection to one node, which is not opened yet. */
  readonly create: (address: NodeAddress) => Redis;
  /** Opens one, within a bound. */
  readonly open: (node: Redis) => Promise<void>;
  /** Used for one slot alone, as by a blocking read: connected to the owner of that slot, and to no other node. */
  readonly hasOneSlot: boolean;
}

/** Pause before a command that did nothing is sent again. */
const RESEND_MS = 20;
/** Pause between two readings of the slots while an owner cannot be reached. */
const REFRESH_MS = 100;

/** Replies have the shapes of RESP2. */
export type ConnectionOptions = RedisOptions & { readonly replyMapping: 'legacy' };

/** A line of `CLUSTER SLOTS`: from, to, and the owner, before its replicas. */
type SlotRange = readonly [from: number, to: number, owner: readonly [host: string | null, port: number]];

export class ClusterRedis extends Redis {
  readonly #cluster: ClusterOptions;
  readonly #nodes = new Map<string, Redis>();
  readonly #opening = new Map<Redis, Promise<void>>();
  /** The address of the owner of each slot. */
  #owners: string[] = [];
  /** Where a connection for one slot reads. */
  #current: Redis | null = null;
  #isRefreshing = false;
  #isClosed = false;
  readonly #onClose = () => this.#refreshSoon();

  constructor(options: ConnectionOptions, cluster: ClusterOptions) {
    super({ ...options, lazyConnect: true });
    this.#cluster = cluster;
  }

  /** Finds the nodes, and connects to each that owns slots. Throws why that failed; it can be tried again. */
  override async connect(): Promise<void> {
    this.#isClosed = false;
    await this.#readSlots();
    if (!this.#cluster.hasOneSlot) await Promise.all(this.primaries().map((node) => this.#open(node)));
    this.status = 'ready';
    this.emit('ready');
  }

  override disconnect(): void {
    this.#isClosed = true;
    for (const node of this.#nodes.values()) node.disconnect();
    this.#nodes.clear();
    this.#owners = [];
    this.#current = null;
    this.status = 'end';
    this.emit('end');
  }

  /** A connection to each node that owns slots. */
  primaries(): readonly Redis[] {
    const names = new Set(this.#owners.filter((name) => name !== undefined));
    return [...names].map((name) => this.#node(name));
  }

  /** The connection to the node that owns a key, which is given without the prefix; null while that is not known. */
  nodeOf(key: string): Redis | null {
    return this.#ownerOf(new Command('get', [`${this.options.keyPrefix ?? ''}${key}`]).getSlot());
  }

  override sendCommand(command: Command): unknown {
    // The Redlock library loads its script before it calls it, by a command without a key.
    if (command.name === 'script') return this.#sendToAll(command);
    const { commandTimeout } = this.options;
    // Over all sendings together.
    if (commandTimeout !== undefined) command.setTimeout(commandTimeout);
    const { reject } = command;
    let node: Redis | null = null;
    let sendings = 0;
    const send = (asked: Redis | null = null) => {
      if (command.isSettled) return;
      if (this.#isClosed) return reject(new Error('Connection is closed.'));
      sendings += 1;
      node = asked ?? this.#ownerOf(command.getSlot());
      if (node) this.#sendTo(node, command, asked !== null);
      else command.reject(new Error('CLUSTERDOWN the owner of the slot is unknown'));
    };
    command.reject = (error) => {
      if (command.isSettled) return;
      const again = this.#redirection(error, node);
      if (!again) reject(error);
      // Nodes that do not agree yet may send it back and forth.
      else if (again.isLater || sendings > 2) setTimeout(send, RESEND_MS, again.asked);
      else send(again.asked);
    };
    send();
    return command.promise;
  }

  /** To every node that can be reached. */
  async #sendToAll({ name, args }: Command): Promise<unknown> {
    const sent = this.primaries().map((node) =>
      node.sendCommand(new Command(name, [...args], { replyEncoding: 'utf8' })),
    );
    const replies = await Promise.allSettled(sent);
    const [done] = replies.filter((reply) => reply.status === 'fulfilled');
    if (!done) throw new Error('no node of the cluster can be reached');
    return done.value;
  }

  /** Where to send a command after a reply that proves that it did nothing; null after any other failure, which is final. */
  #redirection(error: Error, from: Redis | null): { readonly asked: Redis | null; readonly isLater: boolean } | null {
    const [word, slot, address = ''] = error.message.split(' ');
    if (word === 'TRYAGAIN') return { asked: null, isLater: true };
    const name = nameOf(address, from);
    if (word === 'ASK') return { asked: this.#node(name), isLater: false };
    // Where one slot moved or its owner is lost, others may have moved too.
    if (word === 'MOVED' || word === 'CLUSTERDOWN' || error.name !== 'ReplyError') this.#refreshSoon();
    if (word === 'MOVED') this.#owners[Number(slot)] = name;
    return word === 'MOVED' || word === 'CLUSTERDOWN' ? { asked: null, isLater: word === 'CLUSTERDOWN' } : null;
  }

  /** Sends immediately where the node is connected, so that the commands to a node stay in order; one that is lost refuses it. */
  #sendTo(node: Redis, command: Command, asks: boolean): void {
    if (node.status === 'wait' || node.status === 'end' || this.#opening.has(node)) {
      this.#open(node).then(() => this.#sendTo(node, command, asks), command.reject);
      return;
    }
    if (command.isSettled) return;
    if (this.#cluster.hasOneSlot && node !== this.#current) {
      this.#current = node;
      this.#removeUnused();
    }
    // Its failure is that of the command right behind it.
    if (asks) node.call('ASKING').catch(() => undefined);
    node.sendCommand(command);
  }

  /** Of a command without a key any node will do. */
  #ownerOf(slot: number | null): Redis | null {
    if (slot === null) {
      const nodes = this.#current ? [this.#current] : this.primaries();
      return nodes.find(({ status }) => status === 'ready') ?? nodes[0] ?? null;
    }
    const name = this.#owners[slot];
    return name === undefined ? null : this.#node(name);
  }

  #node(name: string): Redis {
    const known = this.#nodes.get(name);
    if (known) return known;
    const at = name.lastIndexOf(':');
    const node = this.#cluster.create({ host: name.slice(0, at), port: Number(name.slice(at + 1)) });
    node.on('close', this.#onClose);
    this.#nodes.set(name, node);
    return node;
  }

  #open(node: Redis): Promise<void> {
    const opening = this.#opening.get(node);
    if (opening) return opening;
    if (node.status === 'ready') return Promise.resolve();
    const opened = this.#cluster.open(node).finally(() => this.#opening.delete(node));
    this.#opening.set(node, opened);
    return opened;
  }

  /** Reads who owns what until every owner can be reached. */
  #refreshSoon(): void {
    if (this.#isRefreshing || this.#isClosed) return;
    this.#isRefreshing = true;
    void this.#refresh().finally(() => {
      this.#isRefreshing = false;
    });
  }

  async #refresh(): Promise<void> {
    while (!this.#isClosed) {
      await pause(REFRESH_MS);
      if (this.#isClosed || !(await isDone(this.#readSlots()))) continue;
      if (this.#cluster.hasOneSlot) return this.#removeUnused();
      // One that is new, or was never reached; one that was lost reconnects by itself.
      const unopened = this.primaries().filter(({ status }) => status === 'wait' || status === 'end');
      await Promise.allSettled(unopened.map((node) => this.#open(node)));
      this.#removeUnused();
      if (this.primaries().every(({ status }) => status === 'ready')) return;
    }
  }

  /** Asks a node that can be reached, in any order: each knows all owners. */
  async #readSlots(): Promise<void> {
    const ready = [...this.#nodes.values()].filter(({ status }) => status === 'ready');
    const seeds = this.#cluster.seeds.map(({ host, port }) => this.#node(`${host}:${port}`));
    let failure: unknown = new Error('no node of the cluster can be reached');
    // One that was lost reconnects by itself.
    for (const node of [...shuffled(ready), ...seeds].filter(({ status }) => status !== 'reconnecting')) {
      try {
        await this.#open(node);
        const ranges = (await node.call('CLUSTER', 'SLOTS')) as readonly SlotRange[];
        const owners: string[] = [];
        for (const [from, to, [host, port]] of ranges) {
          for (let slot = from; slot <= to; slot++) owners[slot] = nameOf(`${host ?? ''}:${port}`, node);
        }
        this.#owners = owners;
        return;
      } catch (error) {
        failure = error;
      }
    }
    throw failure;
  }

  /** Ends connections to nodes that own nothing, once nothing is under way there. */
  #removeUnused(): void {
    const used = new Set(this.#cluster.hasOneSlot ? [this.#current] : this.primaries());
    for (const [name, node] of this.#nodes) {
      if (used.has(node) || this.#opening.has(node) || node.commandQueue.length > 0) continue;
      this.#nodes.delete(name);
      node.off('close', this.#onClose).disconnect();
    }
  }
}

/** The address of a node; one without a host is on the host of the node that named it. */
function nameOf(address: string, from: Redis | null): string {
  const at = address.lastIndexOf(':');
  const host = address.slice(0, at);
  return `${host === '' || host === '?' ? (from?.options.host ?? '') : host}${address.slice(at)}`;
}

function isDone(work: Promise<unknown>): Promise<boolean> {
  return work.then(
    () => true,
    () => false,
  );
}

function shuffled(nodes: readonly Redis[]): Redis[] {
  return nodes.toSorted(() => Math.random() - 0.5);
}
