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

const calm = (changes: Partial<World>, ...may: string[]): World =>
  world({ users: 2, openers: 1, isCalm: true, ...changes }, ...may);

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
  /** Calm worlds: nobody dies, so that long stories are found. Redis loses what a worker has in hand. */
  recovering: calm({}, 'scripted', 'open', 'Redis loses all'),
  /** Redis goes back to a backup, or restarts, while rows are written. */
  returning: calm({ users: 3, total: 3, epochMax: 2 }, 'scripted', 'open', 'back up', 'Redis goes back to the backup'),
  /** The same, while `locked` decides. */
  deciding: calm(
    { users: 3, epochMax: 1 },
    'locked',
    'scripted',
    'open',
    'back up',
    'an older copy of Redis is promoted behind the connection',
  ),
  /** The same for a stock of one. */
  scarce: calm({ total: 1 }, 'scripted', 'open', 'Redis loses all'),
  /** The same, and `synchronous` writes what it reserved. */
  reserving: calm({}, 'scripted', 'synchronous', 'open', 'Redis loses all'),
  /** Dead letters, while `locked` decides and Redis restarts or loses. */
  burying: calm(
    { faultsMax: 2 },
    'scripted',
    'locked',
    'open',
    'bad data',
    'dead letters',
    'Redis restarts',
    'Redis loses the owners',
  ),
  /** A worker is held up with an entry in hand, while another one buries it. */
  withdrawing: calm({ workers: 2, epochMax: 2 }, 'scripted', 'open', 'bad data', 'dead letters'),
  /** MySQL goes back, and what only Redis knows is long over. */
  forgetting: calm(
    { faultsMax: 2, epochMax: 2 },
    'scripted',
    'open',
    'time',
    'close',
    'reconcile',
    'back up',
    'MySQL goes back to the backup',
    'Redis restarts',
    'Redis loses all',
  ),
  /** A total that is edited, and a Redis of before the edit. */
  outdated: calm({ editsMax: 1 }, 'scripted', 'open', 'lower', 'back up', 'Redis goes back to the backup'),
  /** A coupon that is closed, prolonged and opened again. */
  prolonging: calm({ editsMax: 1 }, 'scripted', 'synchronous', 'open', 'time', 'close', 'prolong'),
  /** The same, over a dead letter, and opened once. */
  mourning: calm(
    { editsMax: 1, epochMax: 1 },
    'scripted',
    'synchronous',
    'open',
    'time',
    'close',
    'prolong',
    'bad data',
  ),
  /** A coupon that is deleted while it is opened and issued. */
  deleting: calm({ editsMax: 1, openers: 2 }, 'scripted', 'open', 'remove', 'Redis restarts'),
  /** What an issue promises is edited while the coupon is opened and issued. */
  promising: calm(
    { editsMax: 1, openers: 2, epochMax: 3 },
    'scripted',
    'synchronous',
    'open',
    'terms',
    'Redis restarts',
  ),
  /** A coupon that is over is archived and restored, while a worker is held up with an entry in hand. */
  archiving: calm(
    { workers: 2, editsMax: 1, epochMax: 1 },
    'scripted',
    'synchronous',
    'open',
    'time',
    'close',
    'prolong',
    'archive',
  ),
  /** A total that is raised, and an editor that dies. */
  raising: world(
    { users: 3, openers: 1, faultsMax: 0, editsMax: 1, epochMax: 1 },
    'scripted',
    'open',
    'raise',
    'repair',
  ),
  /** MySQL goes back to before the opening, and the state is dropped while something waits. */
  stranded: calm(
    { faultsMax: 2, epochMax: 1 },
    'scripted',
    'synchronous',
    'nothing is reserved',
    'open',
    'bad data',
    'dead letters',
    'back up',
    'MySQL goes back to the backup',
  ),
  /** The same, and the coupon is deleted. */
  vanishing: calm(
    { editsMax: 1, epochMax: 1 },
    'scripted',
    'open',
    'remove',
    'back up',
    'MySQL goes back to the backup',
  ),
  /** MySQL fails over without the claim of an opening that goes on. */
  failing: calm({}, 'scripted', 'synchronous', 'open', 'MySQL fails over'),
  /** An audit, while dead letters are discarded and replayed. */
  auditing: calm({ epochMax: 2 }, 'scripted', 'open', 'bad data', 'dead letters', 'audit'),
  /** The same, while the total is raised. */
  tallying: calm({ total: 1, editsMax: 1, epochMax: 1 }, 'scripted', 'open', 'raise', 'audit'),
  /** The same, while MySQL goes back. */
  counting: calm(
    { total: 1, epochMax: 1 },
    'scripted',
    'open',
    'back up',
    'MySQL goes back to the backup',
    'reconcile',
    'audit',
  ),
  /** The same, while Redis loses all. */
  recounting: calm({ total: 1, epochMax: 2 }, 'scripted', 'open', 'Redis loses all', 'reconcile', 'audit'),
  /** Two workers of a consumer group that die and come back under their names, while idle consumers are removed. */
  consuming: world(
    { users: 2, openers: 1, workers: 2, faultsMax: 0, epochMax: 1 },
    'scripted',
    'open',
    'remove consumers',
  ),
  /** A replica that lags is promoted, and answers wait for it. */
  waiting: calm({ users: 3, epochMax: 3 }, 'replica', 'open', 'WAIT'),
  /** The same, and processes offer what they remember to an opening. */
  offering: calm({ users: 3, epochMax: 3 }, 'replica', 'open', 'offer'),
  /** The same, and dead letters are discarded, of which processes still remember the answers. */
  disowning: calm({ faultsMax: 2 }, 'replica', 'open', 'offer', 'every answer arrives', 'bad data', 'dead letters'),
  /** A user is erased while they ask, an opener reads, and workers have their entry in hand. */
  erasing: calm({ users: 1 }, 'erase'),
  /** Both stores go back to backups of different instants, the one or the other older. */
  rewinding: calm(
    { users: 3, faultsMax: 1, epochMax: 3 },
    'scripted',
    'synchronous',
    'open',
    'reconcile',
    'back up apart',
  ),
  /** The same, with dead letters. */
  'rewinding letters': calm(
    { faultsMax: 2, epochMax: 3 },
    'scripted',
    'open',
    'bad data',
    'dead letters',
    'reconcile',
    'back up apart',
  ),
  /** Another Redis takes over, and MySQL goes back to before that. */
  displacing: calm(
    { openers: 2, workers: 2, hasTwoPlaces: true, epochMax: 3 },
    'scripted',
    'open',
    'move',
    'MySQL goes back to the backup',
  ),
  /** Another Redis takes over, and the former one comes back. */
  moving: calm({ openers: 2, workers: 2, hasTwoPlaces: true, epochMax: 4 }, 'scripted', 'open', 'move'),
  /** Another number of partitions, and back. */
  repartitioning: calm(
    { users: 3, total: 3, openers: 2, workers: 2, hasTwoPlaces: true, epochMax: 4 },
    'scripted',
    'open',
    'repartition',
    'bad data',
  ),
} satisfies Record<string, World>;

export type WorldName = keyof typeof worlds;
