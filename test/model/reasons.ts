// reasons.ts -- Why a guard is there: the world in which its absence breaks a promise, and which promise that is.

import type { Guard } from './guards.ts';
import type { WorldName } from './worlds.ts';

interface Reason {
  readonly world: WorldName;
  readonly promise: string;
}

const tooMany = 'P1: more issues than the total';
const nowhere = 'P3: a promised issue is nowhere under its sequence';
const anotherSequence = 'P2: a user gets another sequence than before';
const deadEnd = 'a dead end: the coupon cannot be opened';

/** Each found by `bun run model --without GUARD`, with the shortest story there is. */
export const reasons: { readonly [Name in Guard]?: Reason } = {
  'take: the state is of the server that the caller knows': { world: 'losing', promise: nowhere },
  'take: the server is the one that the caller knows': { world: 'losing', promise: nowhere },
  'take: as many owners as issues': { world: 'losing', promise: anotherSequence },
  'put: the version is the one that was read': { world: 'editing', promise: 'issued while paused' },
  'put: the next sequence is the one that was read': { world: 'issuing', promise: tooMany },
  'put: the period is not over': { world: 'closing', promise: 'P5: issued outside the period' },
  'put: the stock is not lowered': { world: 'editing', promise: tooMany },
  'begin-opening: the state is of this server': { world: 'losing', promise: deadEnd },
  'begin-opening: as many owners as issues': { world: 'losing', promise: deadEnd },
  'finish-opening: the lease is still held': { world: 'letters', promise: nowhere },
  'claim: the epoch goes up': { world: 'letters', promise: nowhere },
  'gather: entries before rows': { world: 'opening', promise: tooMany },
  'gather: the stream before dead letters': { world: 'letters', promise: anotherSequence },
  'replay: the lease of an opener ends': { world: 'letters', promise: anotherSequence },
  'settle: a dead letter only of an entry that is there': { world: 'letters', promise: nowhere },
  'synchronous: the home is MySQL': { world: 'issuing', promise: tooMany },
  'synchronous: Redis has no state of a later epoch': {
    world: 'restored',
    promise: tooMany,
  },
  'apply-edit: the version is newer': { world: 'editing', promise: tooMany },
  'lower-total: no more were issued': { world: 'editing', promise: tooMany },
  'edit: lowered in Redis before MySQL': { world: 'editing', promise: tooMany },
  'discard: the state goes in the same step': { world: 'letters', promise: nowhere },
};
