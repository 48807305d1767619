// picture.ts -- What both stores hold of the coupon, as numbers by name: once as the model says, once as it is.

import type { Redis } from 'ioredis';
import { sql } from 'drizzle-orm';
import { type Database, withConnection } from '../../src/mysql/database.ts';
import { readAllocation } from '../../src/stream/entry.ts';
import type { CouponKeys } from '../../src/stream/keys.ts';
import { GROUP, loadingKey } from '../../src/stream/keys.ts';
import type { State } from '../model/state.ts';

/** Names such as `Redis: next` and `user 2: row`, each with its number. What is zero may be left out. */
export type Picture = ReadonlyMap<string, number>;

/** What the model says that the stores hold. */
export function pictureOfModel(s: State): Picture {
  const picture = new Map<string, number>();
  const { redis } = s;
  if (s.sql.exists) {
    const { exists, home, epoch, version, total, paused, end } = s.sql;
    note(picture, 'MySQL', { exists, home, epoch, version, total, paused, end });
  }
  const rows = s.users.filter(({ row }) => row > 0).length;
  note(picture, 'MySQL', { counter: s.sql.exists ? rows : 0 });
  const { run, next, until, gap, epoch, version, paused, end, opening, lock } = redis;
  if (run > 0) note(picture, 'Redis', { run, next, until, gap, epoch, version, paused, end });
  note(picture, 'Redis', { opening, lock });
  note(picture, 'Redis', { unpersisted: s.users.filter(({ stream }) => stream > 0).length });
  for (const [u, user] of s.users.entries()) {
    const { row, owner, stream, dead } = user;
    const entry = stream > 0 ? { stream, first: user.first, epoch: user.epoch } : {};
    const letter = dead > 0 ? { 'dead: first': user.first, 'dead: epoch': user.epoch } : {};
    note(picture, `user ${u + 1}`, { row, owner, dead, ...entry, ...letter });
    note(picture, `user ${u + 1}`, { pending: user.pending[0] ?? 0 });
    for (const [p, { at }] of s.openers.entries())
      if (at >= 3) note(picture, `user ${u + 1}`, { [`gathered by opener ${p + 1}`]: user.loaded[p] ?? 0 });
  }
  for (const [w, has] of (s.groups[0]?.names ?? []).entries()) note(picture, `consumer ${w + 1}`, { has });
  return picture;
}

function note(picture: Map<string, number>, of: string, numbers: Readonly<Record<string, number>>): void {
  for (const [name, number] of Object.entries(numbers)) if (number !== 0) picture.set(`${of}: ${name}`, number);
}

/** What is needed to read the stores in the words of the model. */
export interface Names {
  readonly couponId: number;
  readonly keys: CouponKeys;
  /** By their names in Redis, from 1; -1 for one that nobody knows. */
  readonly serverNumber: (name: string) => number;
  readonly openerNumber: (token: string) => number;
  readonly lockNumber: (token: string) => number;
  /** An instant as the model counts. */
  readonly instant: (ms: number) => number;
  /** The tokens of the openers that gather now, by the number of the opener, from 1. */
  readonly gathering: ReadonlyMap<number, string>;
  /** Whether the world knows which worker has which entry. */
  readonly hasGroup: boolean;
}

export const userName = (u: number): string => `user-${u + 1}`;
const userNumber = (name: string): string => name.replace('-', ' ');

/** What the stores hold. */
export async function pictureOfStores(redis: Redis, database: Database, names: Names): Promise<Picture> {
  const picture = new Map<string, number>();
  await Promise.all([readMysql(picture, database, names), readRedis(picture, redis, names)]);
  return picture;
}

async function readMysql(picture: Map<string, number>, database: Database, names: Names): Promise<void> {
  const { couponId, instant } = names;
  const [found] = (await withConnection(database, (session) =>
    session.execute(sql`
      SELECT NULL AS user_id, stock_home = 'redis' AS home, epoch, version, total_quantity AS total, paused,
             UNIX_TIMESTAMP(date_issue_end) * 1000 AS end, issued_quantity AS counter
        FROM coupons WHERE id = ${couponId}
      UNION ALL SELECT user_id, 0, 0, 0, 0, 0, 0, sequence FROM coupon_issues WHERE coupon_id = ${couponId}`),
  )) as unknown as [readonly Readonly<Record<string, string | number | null>>[]];
  for (const row of found) {
    const number = (name: string) => Number(row[name]);
    if (row['user_id'] !== null) {
      note(picture, userNumber(String(row['user_id'])), { row: number('counter') });
      continue;
    }
    const [home, epoch, version, total, paused] = ['home', 'epoch', 'version', 'total', 'paused'].map(number);
    const end = instant(number('end'));
    const counter = number('counter');
    note(picture, 'MySQL', { exists: 1, home, epoch, version, total, paused, end, counter } as Record<string, number>);
  }
}

async function readRedis(picture: Map<string, number>, redis: Redis, names: Names): Promise<void> {
  const { keys, gathering } = names;
  const pipeline = redis.pipeline().hgetall(keys.state).hgetall(keys.owners).get(keys.opening).get(keys.lock);
  pipeline.xrange(keys.stream, '-', '+').xrange(keys.dead, '-', '+').get(keys.unpersisted);
  for (const token of gathering.values()) pipeline.hgetall(loadingKey(keys, token));
  const replies = ((await pipeline.exec()) ?? []).map(([error, reply]) => {
    if (error) throw error;
    return reply;
  });
  const [state, owners, opening, lock, stream, dead, unpersisted, ...gathered] = replies as [
    Fields,
    Fields,
    string | null,
    string | null,
    Entries,
    Entries,
    string | null,
    ...Fields[],
  ];
  const number = (name: string) => Number(state[name] ?? 0);
  if (Object.keys(state).length > 0) {
    const run = names.serverNumber(state['run'] ?? '');
    const [next = 0, until = 0, gap = 0, epoch = 0, version = 0, paused = 0] = [
      'next',
      'until',
      'gap',
      'epoch',
      'version',
      'paused',
    ].map(number);
    note(picture, 'Redis', { run, next, until, gap, epoch, version, paused, end: names.instant(number('end')) });
  }
  note(picture, 'Redis', {
    opening: opening === null ? 0 : names.openerNumber(opening),
    lock: lock === null ? 0 : names.lockNumber(lock),
    unpersisted: Number(unpersisted ?? 0),
  });
  for (const [user, sequence] of Object.entries(owners)) note(picture, userNumber(user), { owner: Number(sequence) });
  noteEntries(picture, stream, dead);
  if (names.hasGroup) await readGroup(picture, redis, keys.stream, stream);
  for (const [i, p] of [...gathering.keys()].entries()) {
    for (const [user, sequence] of Object.entries(gathered[i] ?? {}))
      note(picture, userNumber(user), { [`gathered by opener ${p}`]: Number(sequence) });
  }
}

/** The consumers that stand for workers, and which user's entry is pending for which. */
async function readGroup(picture: Map<string, number>, redis: Redis, key: string, stream: Entries): Promise<void> {
  // No worker has read yet.
  const none = (): [] => [];
  const consumers = (await redis.xinfo('CONSUMERS', key, GROUP).catch(none)) as readonly (readonly unknown[])[];
  const pending = (await redis.xpending(key, GROUP, '-', '+', 100).catch(none)) as readonly (readonly unknown[])[];
  const numberOf = (name: unknown) => Number(/^worker-(\d)$/.exec(String(name))?.[1] ?? 0);
  for (const [, name] of consumers) if (numberOf(name) > 0) note(picture, `consumer ${numberOf(name)}`, { has: 1 });
  for (const [id, name] of pending) {
    const fields = stream.find((entry) => entry[0] === id)?.[1];
    const allocation = fields && readAllocation(fields);
    if (!allocation || 'undecodable' in allocation) throw new Error(`what is pending for ${String(name)} is gone`);
    for (const user of allocation.users) note(picture, userNumber(user), { pending: numberOf(name) });
  }
}

type Fields = Readonly<Record<string, string>>;
type Entries = readonly (readonly [id: string, fields: readonly string[]])[];

function noteEntries(picture: Map<string, number>, stream: Entries, dead: Entries): void {
  for (const [entries, isDead] of [
    [stream, false],
    [dead, true],
  ] as const) {
    for (const [, fields] of entries) {
      const allocation = readAllocation(fields);
      if (!allocation || 'undecodable' in allocation) throw new Error(`an entry cannot be read: ${fields.join(' ')}`);
      const { firstSequence: first, users } = allocation;
      const epoch = Number(fields[fields.indexOf('e') + 1]);
      for (const [i, user] of users.entries()) {
        const of = userNumber(user);
        const name = isDead ? 'dead' : 'stream';
        // Which the model has no place for.
        if (picture.has(`${of}: ${name}`)) note(picture, of, { [`a second ${name}`]: first + i });
        else
          note(
            picture,
            of,
            isDead
              ? { dead: first + i, 'dead: first': first, 'dead: epoch': epoch }
              : { stream: first + i, first, epoch },
          );
      }
    }
  }
}

/** In what two pictures differ, in words. */
export function differences(model: Picture, stores: Picture): readonly string[] {
  const names = new Set([...model.keys(), ...stores.keys()]);
  return [...names].flatMap((name) => {
    const [expected, found] = [model.get(name) ?? 0, stores.get(name) ?? 0];
    return expected === found ? [] : [`${name}: the model says ${expected}, the stores hold ${found}`];
  });
}
