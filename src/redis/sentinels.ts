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
  let former = '';
  /** `text`: the name, then the address before and the one after. Every sentinel says it, some a second after the first. */
  const note = (text: string) => {
    const [switched, host, port] = text.split(' ');
    if (switched !== name) return;
    former = `${host} ${port}`;
    leaveFormer();
  };
  const leaveFormer = () => {
    const { remoteAddress, remotePort } = redis.stream;
    // One that is being made may lead there too, and is looked at once it is ready.
    if (redis.status === 'ready' && `${remoteAddress} ${remotePort}` === former) redis.disconnect(true);
  };
  redis.on('ready', () => {
    leaveFormer();
    if (watchers.length === 0) watchers = sentinels.map((address) => watch(address, settings, note));
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
