// sentinels.ts -- Leaves a primary as soon as its sentinels say that another one follows it.
//
// Until they reach it, the former primary takes writes that no other server will have. ioredis can do this as well
// (`failoverDetector`), but prints each sentinel that is away at every try, and leaves for a failover of any other name, too.

import { lookup } from 'node:dns/promises';
import { Redis, type RedisOptions } from 'ioredis';

type Sentinels = Pick<RedisOptions, 'sentinels' | 'name' | 'sentinelPassword' | 'sentinelTLS' | 'connectTimeout'>;

const CHANNEL = '+switch-master';
const RECONNECT_MS = 500;
/** A subscription is silent for days: a connection whose peer vanished is noticed. */
const KEEP_ALIVE_MS = 10_000;
const IPV4_MAPPED = /^::ffff:/i;

/** Does so for a connection, while it is open. Where no sentinels are named it does nothing. */
export function followSentinels(redis: Redis, settings: Sentinels): void {
  const { sentinels = [], name = '' } = settings;
  let watchers: Redis[] = [];
  let former: ReadonlySet<string> = new Set();
  /** `text`: the name, then the address before and the one after. Every sentinel says it, some a second after the first. */
  const note = async (text: string) => {
    const [switched, host = '', port] = text.split(' ');
    if (switched !== name) return;
    former = new Set((await addressesOf(host)).map((address) => `${address} ${port}`));
    leaveFormer();
  };
  const leaveFormer = () => {
    const { remoteAddress = '', remotePort } = redis.stream;
    const address = `${remoteAddress.replace(IPV4_MAPPED, '')} ${remotePort}`;
    // One that is being made may lead there too, and is looked at once it is ready.
    if (redis.status === 'ready' && former.has(address)) redis.disconnect(true);
  };
  redis.on('ready', () => {
    leaveFormer();
    // The next one is asked for after that: if it leads there again, the sentinels have gone back to it.
    former = new Set();
    if (watchers.length === 0) watchers = sentinels.map((address) => watch(address, settings, note));
  });
  redis.on('end', () => {
    for (const watcher of watchers.splice(0)) watcher.disconnect();
  });
}

/** Sentinels that announce names say the name. One that is not known any more leads nowhere. */
async function addressesOf(host: string): Promise<readonly string[]> {
  const found = await lookup(host, { all: true }).catch(() => []);
  return [host, ...found.map(({ address }) => address)];
}

function watch(
  { host, port }: { host?: string; port?: number },
  { sentinelPassword, sentinelTLS, connectTimeout }: Sentinels,
  onSwitch: (text: string) => unknown,
): Redis {
  const watcher = new Redis({
    ...(host !== undefined && { host }),
    ...(port !== undefined && { port }),
    ...(sentinelPassword !== undefined && { password: sentinelPassword }),
    ...(sentinelTLS !== undefined && { tls: sentinelTLS }),
    ...(connectTimeout !== undefined && { connectTimeout }),
    enableReadyCheck: false,
    keepAlive: KEEP_ALIVE_MS,
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
