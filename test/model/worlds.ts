// worlds.ts -- Small worlds, each with a part of what may happen, so that all of its states can be visited.

import { START, type World } from './state.ts';

const base: Omit<World, 'may'> = {
  users: 3,
  openers: 2,
  workers: 1,
  total: 2,
  faultsMax: 1,
  editsMax: 0,
  epochMax: 3,
  time: START,
};

const world = (changes: Partial<World>, ...may: string[]): World => ({ ...base, ...changes, may: new Set(may) });

const lossesOfRedis = [
  'back up',
  'Redis restarts',
  'Redis loses all',
  'Redis loses the owners',
  'Redis loses what an opener gathered',
  'Redis goes back to the backup',
  'an older copy of Redis is promoted behind the connection',
];

export const worlds = {
  /** All three issuers on one coupon that is opened, with kills everywhere and lost answers. */
  issuing: world({ openers: 1, faultsMax: 0, epochMax: 1 }, 'synchronous', 'scripted', 'locked', 'open'),
  /** `locked` and `scripted` while Redis restarts, loses data or goes back. */
  losing: world({ users: 2, openers: 1, epochMax: 2 }, 'scripted', 'locked', 'open', 'reconcile', ...lossesOfRedis),
  /** Two openers, and `synchronous`, through the same. */
  opening: world({ epochMax: 3 }, 'synchronous', 'scripted', 'open', 'reconcile', ...lossesOfRedis),
  /** Edits of total, pause and period around the end, lowered in two steps, with commands that arrive late. */
  editing: world(
    { openers: 1, faultsMax: 0, editsMax: 2, epochMax: 1 },
    'scripted',
    'locked',
    'open',
    'raise',
    'lower',
    'pause',
    'repair',
  ),
  /** Closing, deleting and prolonging around the end, with dead letters. */
  closing: world(
    { users: 2, openers: 1, editsMax: 1 },

    'scripted',
    'synchronous',
    'locked',
    'open',
    'time',
    'close',
    'prolong',
    'remove',
    'reconcile',
    'bad data',
    'dead letters',
  ),
  /** Dead letters: bad data, discard, replay, two workers. */
  letters: world(
    { users: 2, openers: 1, workers: 2, epochMax: 2, faultsMax: 2 },
    'scripted',
    'open',
    'bad data',
    'dead letters',
    'reconcile',
  ),
  /** MySQL goes back to a backup while Redis stays, and may restart. */
  restored: world(
    { users: 3, openers: 1, faultsMax: 2, epochMax: 2 },
    'scripted',
    'synchronous',
    'open',
    'reconcile',
    'back up',
    'MySQL goes back to the backup',
    'Redis restarts',
  ),
} satisfies Record<string, World>;

export type WorldName = keyof typeof worlds;
