// sentinels.ts -- Leaves a primary as soon as its sentinels say that another one follows it.
//
// Until they reach it, the former primary takes writes that no other server will have. ioredis can do this as well
// (`failoverDetector`), but prints each sentinel that is away at every try, and leaves for a failover of any other name, too.

import { Redis, type RedisOptions } from 'ioredis';

type Sentinels = Pick<RedisOptions, 'sentinels' | 'name' | 'sentinelPassword' | 'sentinelTLS' | 'connectTimeout'>;

const CHANNEL = '+switch-master';
const RECONNECT_MS = 500;

/** Does so for a connection, while it is open. Where no sentinels are named it does nothing. */
export function followSentinels(redis: Redis, settings: Sentinels): void {
  const { sentinels = [], name = '' } = settings;
  let watchers: Redis[] = [];
  let last = '';
  let isOutdated = false;
  /** The name, and the addresses before and after. Every sentinel says it, some a second after the first. */
  const leave = (switched: string) => {
    if (!switched.startsWith(`${name} `) || switched === last) return;
    last = switched;
    // Ended while it connects, it would end for good; it may be on its way to the former one.
    if (redis.status === 'ready') redis.disconnect(true);
    else isOutdated = true;
  };
  redis.on('ready', () => {
    if (isOutdated) redis.disconnect(true);
    isOutdated = false;
    if (watchers.length === 0) watchers = sentinels.map((address) => watch(address, settings, leave));
  });
  redis.on('end', () => {
    for (const watcher of watchers.splice(0)) watcher.disconnect();
  });
}

function watch(
  { host, port }: { host?: string; port?: number },
  { sentinelPassword, sentinelTLS, connectTimeout }: Sentinels,
  onSwitch: (text: string) => void,
): Redis {
  const watcher = new Redis({
    ...(host !== undefined && { host }),
    ...(port !== undefined && { port }),
    ...(sentinelPassword !== undefined && { password: sentinelPassword }),
    ...(sentinelTLS !== undefined && { tls: sentinelTLS }),
    ...(connectTimeout !== undefined && { connectTimeout }),
    enableReadyCheck: false,
    retryStrategy: () => RECONNECT_MS,
    maxRetriesPerRequest: null,
  });
  // One that is away is asked again; the others say the same.
  watcher.on('error', () => undefined);
  watcher.on('message', (_, text: string) => onSwitch(text));
  // Subscribed again by itself after each reconnect. Rejected only by its end.
  watcher.subscribe(CHANNEL).catch(() => undefined);
  return watcher;
}
