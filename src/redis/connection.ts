// connection.ts -- The three kinds of connection to Redis, each option spelled out with its reason.
//
// A command whose reply was lost must never be resent by the driver: the winner would then be told that the coupon is already
// taken, by itself. So no kind resends, and the result of an unanswered command is ambiguous.

import { Redis, type RedisOptions } from 'ioredis';

/** What a connection needs to know. Times in milliseconds. */
export interface RedisSettings {
  readonly REDIS_URL: string;
  readonly REDIS_CONNECT_MS_MAX: number;
  readonly REDIS_COMMAND_MS_MAX: number;
}

/** A connection fault worth a log line; the connection goes on trying by itself. */
export type OnFault = (fault: Error) => void;

/** Longest pause between two tries to connect: short, since a rush does not wait. */
const RECONNECT_MS_MAX = 500;

const common = (settings: RedisSettings): RedisOptions & { replyMapping: 'legacy' } => ({
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
  retryStrategy: (attempt) => Math.min(attempt * 50, RECONNECT_MS_MAX),
  // After a failover the old primary answers READONLY: reconnect, which finds the new one.
  reconnectOnError: (error) => error.message.startsWith('READONLY'),
});

/**
 * For decisions: a command fails immediately while there is no connection, and after `REDIS_COMMAND_MS_MAX` without a reply.
 * Also for all other commands with a reply (loading owners, acknowledging, reading).
 */
export function issuingConnection(settings: RedisSettings, onFault: OnFault): Redis {
  return blockingConnection(settings, 0, onFault);
}

/**
 * For blocking reads: has the connection to itself, since everything behind a blocked command waits.
 *
 * @param blockMs the `BLOCK` of its reads; a reply that is later than that by `REDIS_COMMAND_MS_MAX` means a dead connection
 */
export function blockingConnection(settings: RedisSettings, blockMs: number, onFault: OnFault): Redis {
  return watched(
    new Redis(settings.REDIS_URL, {
      ...common(settings),
      enableOfflineQueue: false,
      commandTimeout: blockMs + settings.REDIS_COMMAND_MS_MAX,
      socketTimeout: blockMs + settings.REDIS_COMMAND_MS_MAX,
    }),
    onFault,
  );
}

/** For subscriptions: renewed after a reconnect. */
export function subscribingConnection(settings: RedisSettings, onFault: OnFault): Redis {
  const redis = new Redis(settings.REDIS_URL, { ...common(settings), autoResubscribe: true });
  return redis.on('error', onFault);
}

/** The server behind each connection, while it is known. */
const servers = new WeakMap<Redis, string>();
/** Connections to servers that belong to another installation, or were replaced. */
const refused = new WeakSet<Redis>();

/** From now on the server behind a connection counts as unknown, so that nothing is decided there; or no longer does. */
export function refuseServer(redis: Redis, isRefused: boolean): void {
  if (isRefused) refused.add(redis);
  else refused.delete(redis);
}

/**
 * The server behind a connection: a restart, a failover or a restored backup gives another one.
 *
 * @returns its `run_id` and `master_replid`, or '' while there is no connection or it is not known yet
 */
export function serverOf(redis: Redis): string {
  return refused.has(redis) ? '' : (servers.get(redis) ?? '');
}

/** Connects, and waits until the server is known. Throws when the first try fails. */
export async function connect(redis: Redis): Promise<void> {
  await redis.connect();
  await askServer(redis);
}

/** Adds the listeners: without one for errors, ioredis prints them itself, with the address of the server. */
function watched(redis: Redis, onFault: OnFault): Redis {
  redis.on('error', onFault);
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
 * @throws what ioredis throws; the name is then as it was
 */
export async function askServer(redis: Redis): Promise<void> {
  const information = await redis.info();
  const run = /^run_id:(\w+)/m.exec(information)?.[1];
  // A replica takes over the id of its primary, and every promotion makes a new one.
  const replication = /^master_replid:(\w+)/m.exec(information)?.[1];
  if (run === undefined || replication === undefined) throw new Error('Redis does not report its run_id');
  servers.set(redis, `${run}.${replication}`);
}
