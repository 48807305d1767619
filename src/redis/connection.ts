// connection.ts -- The three kinds of connection to Redis, each option spelled out with its reason.
//
// A command whose reply was lost must never be resent by the driver: the winner would then be told that the coupon is already
// taken, by itself. So no kind resends, and the result of an unanswered command is ambiguous.

import { Redis, type RedisOptions } from 'ioredis';
import { ClusterRedis, type ConnectionOptions, type NodeAddress } from './cluster.ts';
import { followSentinels } from './sentinels.ts';
import { type RedisAddress, readRedisUrl } from './url.ts';

/** What a connection needs to know. Times in milliseconds. */
export interface RedisSettings extends RedisAddress {
  readonly KEY_PREFIX?: string;
  readonly REDIS_CONNECT_MS_MAX: number;
  readonly REDIS_COMMAND_MS_MAX: number;
}

/** A connection fault worth a log line; the connection goes on trying by itself. */
export type OnFault = (fault: Error) => void;

/** Longest pause between two tries to connect: short, since a rush does not wait. */
const RECONNECT_MS_MAX = 500;

const common = (settings: RedisSettings): ConnectionOptions => ({
  // Two installations can share a Redis by it.
  keyPrefix: settings.KEY_PREFIX ?? '',
  // RESP2: the shapes that the typed scripts check, and the cheaper of the two to parse.
  protocol: 2,
  replyMapping: 'legacy',
  // A command cut off by a broken connection is rejected, not sent again.
  autoResendUnfulfilledCommands: false,
  maxRetriesPerRequest: 0,
  connectTimeout: settings.REDIS_CONNECT_MS_MAX,
  // A connection whose peer vanished stays open for many minutes; a command timeout alone would fail every command until then.
  // Silence while a reply is due ends it, and the next connection finds the present server.
  socketTimeout: settings.REDIS_COMMAND_MS_MAX,
  // Before the ready check a restarted Redis may still be loading; the check also says which server this is (`run_id`).
  enableReadyCheck: true,
  // While it loads, it guesses how long that will take, at first wildly; believed, a guess keeps us away from a healthy server.
  maxLoadingRetryTime: RECONNECT_MS_MAX,
  // Slower than plain writes on Bun; the combiner has batched already.
  enableAutoPipelining: false,
  lazyConnect: true,
  keepAlive: 10_000,
  noDelay: true,
  // After a failover the old primary answers READONLY: reconnect, which finds the new one.
  reconnectOnError: (error) => error.message.startsWith('READONLY'),
});

/** Connections that were open once: from then on they reconnect by themselves, and their faults are reported. */
const opened = new WeakSet<Redis>();

/** In what the kinds differ. */
type KindOptions = Pick<RedisOptions, 'enableOfflineQueue' | 'commandTimeout' | 'socketTimeout'>;

/** One that can be connected again after it was ended. */
class LastingRedis extends Redis {
  override connect(): Promise<void> {
    // Ended while it asks the sentinels, ioredis still counts it as ended later, and would not reconnect after its next loss.
    this['manuallyClosing'] = false;
    return super.connect();
  }

  override disconnect(reconnect = false): void {
    // There is no connection then whose end would be told.
    const isWaiting = !reconnect && this.status === 'reconnecting';
    super.disconnect(reconnect);
    if (isWaiting) this.emit('end');
  }
}

/** Without a listener for errors, ioredis prints them itself, with the address of the server. */
function create(options: ConnectionOptions, onFault: OnFault): Redis {
  const retryStrategy = (attempt: number) => (opened.has(redis) ? Math.min(attempt * 50, RECONNECT_MS_MAX) : null);
  // Where no sentinel names a primary, as while they choose one, ioredis would give up for good without a strategy of its own.
  const redis: Redis = new LastingRedis({ ...options, retryStrategy, sentinelRetryStrategy: retryStrategy });
  redis.once('ready', () => opened.add(redis));
  return redis.on('error', (fault) => {
    if (opened.has(redis)) onFault(fault);
  });
}

/** A connection for commands with a reply, to one server or to the nodes of a cluster. */
function createFor(settings: RedisSettings, kind: KindOptions, hasOneSlot: boolean, onFault: OnFault): Redis {
  const { nodes, ...place } = readRedisUrl(settings);
  const options = { ...place, ...common(settings), ...kind };
  if (nodes === undefined) {
    const redis = watched(create(options, onFault), onFault);
    // A blocking read of the former primary ends by itself, as soon as that is a replica.
    if (!hasOneSlot) followSentinels(redis, options);
    return redis;
  }
  const createNode = (address: NodeAddress) => watched(create({ ...options, ...address }, onFault), onFault);
  return new ClusterRedis(options, { seeds: nodes, create: createNode, open: connect, hasOneSlot });
}

/**
 * For decisions: a command fails immediately while there is no connection, and after `REDIS_COMMAND_MS_MAX` without a reply.
 * Also for all other commands with a reply (loading owners, acknowledging, reading).
 */
export function issuingConnection(settings: RedisSettings, onFault: OnFault): Redis {
  const options = { enableOfflineQueue: false, commandTimeout: settings.REDIS_COMMAND_MS_MAX };
  return createFor(settings, options, false, onFault);
}

/**
 * For blocking reads of one partition: has the connection to itself, since everything behind a blocked command waits.
 *
 * @param blockMs the `BLOCK` of its reads; a reply that is later than that by `REDIS_COMMAND_MS_MAX` means a dead connection
 */
export function blockingConnection(settings: RedisSettings, blockMs: number, onFault: OnFault): Redis {
  return createFor(settings, blockingKind(settings, blockMs), true, onFault);
}

/** For WAITs, which block too; of a cluster, for those of every node. */
export function waitingConnection(settings: RedisSettings, waitMs: number, onFault: OnFault): Redis {
  return createFor(settings, blockingKind(settings, waitMs), false, onFault);
}

function blockingKind({ REDIS_COMMAND_MS_MAX }: RedisSettings, blockMs: number): KindOptions {
  const waitMsMax = blockMs + REDIS_COMMAND_MS_MAX;
  return { enableOfflineQueue: false, commandTimeout: waitMsMax, socketTimeout: waitMsMax };
}

/** For subscriptions: renewed after a reconnect. A cluster passes a message on to every node, so that any of them will do. */
export function subscribingConnection(settings: RedisSettings, onFault: OnFault): Redis {
  const { nodes = [], ...place } = readRedisUrl(settings);
  const redis = create({ ...place, ...nodes[0], ...common(settings), autoResubscribe: true }, onFault);
  let tries = 0;
  // ioredis reads the address for each connection; the next one goes to another node.
  if (nodes.length > 0) redis.on('close', () => Object.assign(redis.options, nodes[++tries % nodes.length]));
  return redis;
}

/** The connections behind one: itself, or one to each node of a cluster that owns slots. */
export function primariesOf(redis: Redis): readonly Redis[] {
  return redis instanceof ClusterRedis ? redis.primaries() : [redis];
}

export function isCluster(redis: Redis): boolean {
  return redis instanceof ClusterRedis;
}

/** The connection to the server that has a key. Throws while a cluster does not say which that is. */
export function nodeOf(redis: Redis, key: string): Redis {
  const node = redis instanceof ClusterRedis ? redis.nodeOf(key) : redis;
  if (!node) throw new Error('CLUSTERDOWN the owner of the slot is unknown');
  return node;
}

/** The server behind each connection, while it is known. */
const servers = new WeakMap<Redis, string>();
/** Connections to servers that belong to another installation, or were replaced. */
const refusedServers = new WeakSet<Redis>();

/** From now on the server behind a connection counts as unknown, so that nothing is decided there; or no longer does. */
export function refuseServer(redis: Redis, refuses: boolean): void {
  if (refuses) refusedServers.add(redis);
  else refusedServers.delete(redis);
}

/** Whether `refuseServer` was last called with true. */
export function isRefused(redis: Redis): boolean {
  return refusedServers.has(redis);
}

/**
 * The server behind a connection: a restart, a failover or a restored backup gives another one.
 *
 * @param key of a cluster, the node that has this key
 * @returns its `run_id` and `master_replid`, or '' while there is no connection or it is not known yet
 */
export function serverOf(redis: Redis, key = ''): string {
  if (refusedServers.has(redis)) return '';
  const node = redis instanceof ClusterRedis ? redis.nodeOf(key) : redis;
  return (node && servers.get(node)) ?? '';
}

/**
 * Connects, and waits until the server is known, for at most as long as a connection may take. After a failure it can be tried again.
 *
 * @throws why it failed: what the socket, the server or ioredis says
 */
export async function connect(redis: Redis): Promise<void> {
  if (redis instanceof ClusterRedis) return connectCluster(redis);
  if (redis.status === 'ready' && servers.has(redis)) return;
  // Why a connection failed is reported by an event; what `connect` throws then names no cause.
  const errors: Error[] = [];
  const note = (error: Error) => errors.push(error);
  redis.on('error', note);
  try {
    if (redis.status !== 'ready') await openWithin(redis, redis.options.connectTimeout ?? 0);
    // A database that the server does not have does not even throw: the driver would go on with database 0. An address at which
    // nobody listened at first is no fault once somebody does.
    const refused = errors.find(({ name }) => name === 'ReplyError');
    if (refused) throw refused;
    await askServer(redis);
  } catch (error) {
    // What is still under way would be in the way of the next try.
    if (redis.status !== 'ready' || errors.length > 0) redis.disconnect();
    throw errors[0] ?? error;
  } finally {
    redis.off('error', note);
  }
}

async function connectCluster(redis: ClusterRedis): Promise<void> {
  try {
    if (redis.status !== 'ready') await redis.connect();
  } catch (error) {
    redis.disconnect();
    throw error;
  }
}

/** @throws an error with the code `LOADING` or `ETIMEDOUT` when it takes too long; what ioredis throws */
async function openWithin(redis: Redis, waitMsMax: number): Promise<void> {
  const late = Promise.withResolvers<never>();
  // Connected, and not ready for commands.
  const overdue = () => {
    const code = redis.status === 'connect' ? 'LOADING' : 'ETIMEDOUT';
    return Object.assign(new Error('Redis is not ready in time'), { code });
  };
  // The last try is not over yet.
  if (redis.status === 'connecting' || redis.status === 'connect') throw overdue();
  const timer = setTimeout(() => late.reject(overdue()), waitMsMax);
  try {
    await Promise.race([redis.connect(), late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** Keeps in mind which server it is. */
function watched(redis: Redis, onFault: OnFault): Redis {
  // Forgotten immediately and asked again, so that no command to a new server ever carries the name of the old one.
  redis.on('close', () => servers.delete(redis));
  redis.on('ready', () => {
    servers.delete(redis);
    askServer(redis).catch(onFault);
  });
  return redis;
}

/**
 * Asks again which server it is: it may have been a replica of another for a while, and have that one's data now.
 *
 * @param key of a cluster, the node that has this key is asked
 * @throws what ioredis throws; the name is then as it was
 */
export async function askServer(redis: Redis, key = ''): Promise<void> {
  // A former owner of the key says which node has it now, and that one is connected to.
  if (isCluster(redis)) await redis.exists(key);
  const node = nodeOf(redis, key);
  const information = await node.info();
  const run = /^run_id:(\w+)/m.exec(information)?.[1];
  // A replica takes over the id of its primary, and every promotion makes a new one.
  const replication = /^master_replid:(\w+)/m.exec(information)?.[1];
  if (run === undefined || replication === undefined) throw new Error('Redis does not report its run_id');
  servers.set(node, `${run}.${replication}`);
}

/** The clock of the server that has a key, in milliseconds since 1970. Throws what ioredis throws. */
export async function clockOf(redis: Redis, key: string): Promise<number> {
  const [seconds, microseconds] = await nodeOf(redis, key).time();
  return Number(seconds) * 1000 + Math.floor(Number(microseconds) / 1000);
}
