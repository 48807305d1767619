// durability.ts -- What this Redis really keeps through a crash, and whether it is new enough.

import type { Redis } from 'ioredis';

/** The rung of the durability ladder that Redis stands on. */
export interface RedisDurability {
  readonly version: string;
  /** `always`: nothing acknowledged is lost. `everysec`: up to two seconds. `no`, `off`: more. `unknown`: the server does not say. */
  readonly appendFsync: 'always' | 'everysec' | 'no' | 'off' | 'unknown';
  /** Anything but `noeviction` lets Redis drop owners when memory is short. */
  readonly maxmemoryPolicy: string;
  /** A replica refuses writes. */
  readonly role: string;
}

/** The oldest Redis whose `XAUTOCLAIM` and script effects this system relies on. */
const MAJOR_MIN = 7;

/** Asks the server. Throws what ioredis throws. */
export async function readDurability(redis: Redis): Promise<RedisDurability> {
  const information = await redis.info();
  const fact = (name: string) => new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(information)?.[1] ?? '';
  // Managed servers may forbid CONFIG; INFO is all there is then.
  const fsync = await redis.config('GET', 'appendfsync').then(secondOf, () => 'unknown');
  return {
    version: fact('redis_version'),
    appendFsync: fact('aof_enabled') === '1' ? asFsync(fsync) : 'off',
    maxmemoryPolicy: fact('maxmemory_policy') || 'unknown',
    role: fact('role'),
  };
}

/**
 * What forbids a start, as lines that name the setting and the cure; none when all is well.
 *
 * @param allowVolatile start also without AOF: acknowledged issues may be lost in a crash
 */
export function durabilityFaults(durability: RedisDurability, allowVolatile: boolean): string[] {
  const faults: string[] = [];
  // A version that is no number is nothing to rely on either.
  if (!(Number.parseInt(durability.version, 10) >= MAJOR_MIN))
    faults.push(
      `REDIS_URL: Redis ${durability.version || 'of unknown version'} is too old; use ${MAJOR_MIN}.0 or newer`,
    );
  if (durability.appendFsync === 'off' && !allowVolatile)
    faults.push(
      'REDIS_URL: this Redis has no AOF and loses acknowledged issues in a crash; set `appendonly yes`, or ALLOW_VOLATILE_REDIS=on to accept that',
    );
  return faults;
}

function asFsync(value: string): RedisDurability['appendFsync'] {
  return value === 'always' || value === 'everysec' || value === 'no' ? value : 'unknown';
}

function secondOf(reply: unknown): string {
  return Array.isArray(reply) && typeof reply[1] === 'string' ? reply[1] : 'unknown';
}
