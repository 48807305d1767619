// reasons.ts -- Why each guard is there: the world in which its absence breaks a promise, and which one; or what else it is for.

import type { Guard } from './guards.ts';
import type { WorldName } from './worlds.ts';

interface Reason {
  readonly world: WorldName;
  readonly promise: string;
}

const tooMany = 'P1: more issues than the total';
const nowhere = 'P3: a promised issue is nowhere under its sequence';
const anotherSequence = 'P2: a user gets another sequence than before';
const unknown = 'P2: at the quiet end Redis does not know all issues';
const untrue = 'an audit says what is not true';
const neverRow = 'P3: an accepted issue never becomes a row';
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
  'claim: the epoch goes up': { world: 'burying', promise: anotherSequence },
  'gather: entries before rows': { world: 'opening', promise: tooMany },
  'gather: the stream before dead letters': { world: 'letters', promise: anotherSequence },
  'replay: the lease of an opener ends': { world: 'letters', promise: anotherSequence },
  'remove-consumers: nothing is pending': { world: 'consuming', promise: neverRow },
  'remove-consumers: looking and removing are one step': { world: 'consuming', promise: neverRow },
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
  'put: the epoch is the one that was read': { world: 'burying', promise: anotherSequence },
  'prove-state: the lease is still held': { world: 'burying', promise: deadEnd },
  'gather: dead letters too': { world: 'burying', promise: anotherSequence },
  'prove: the version is the one in MySQL': { world: 'outdated', promise: tooMany },
  'put: the server is the one that was read': { world: 'deciding', promise: tooMany },
  'prove: the next sequence is above all rows': { world: 'returning', promise: nowhere },
  'ledger: the user has no row': { world: 'recovering', promise: 'P2: a user has two rows' },
  'ledger: the sequence is free': { world: 'recovering', promise: 'P2: a sequence twice' },
  'drain: forget a state that does not know all rows': {
    world: 'recovering',
    promise: 'P4: at the quiet end Redis has an owner without an issue',
  },
  'drain: a withdrawn entry of an earlier opening is not written': { world: 'withdrawing', promise: nowhere },
  'drain: entries that were gone are asked for too': { world: 'outdated', promise: unknown },
  'drop: the lease of an opener ends too': { world: 'recovering', promise: unknown },
  'ledger: stock is left': { world: 'scarce', promise: tooMany },
  'synchronous: forget a state that does not know all rows': { world: 'reserving', promise: unknown },
  'close: no entry waits': { world: 'prolonging', promise: anotherSequence },
  'close: the epoch is the same under the row lock': { world: 'prolonging', promise: anotherSequence },
  'close: the lease of an opener ends too': { world: 'prolonging', promise: anotherSequence },
  'remove: nothing was issued in Redis': { world: 'deleting', promise: 'P3: an issue of a coupon that was deleted' },
  'edit: raised in MySQL before Redis': { world: 'raising', promise: tooMany },
  'close: every owner has a row': { world: 'forgetting', promise: nowhere },
  'take: pseudonyms are looked up': { world: 'erasing', promise: anotherSequence },
  'synchronous: pseudonyms are looked up': { world: 'erasing', promise: anotherSequence },
  'opening: the key is read after the owners': { world: 'erasing', promise: anotherSequence },
  'ledger: an entry of an erased user is of the pseudonym': { world: 'erasing', promise: 'P2: a user has two rows' },
  'ledger: an old entry whose sequence an erased user has is a row': {
    world: 'erasing',
    promise: 'P2: a user has two rows',
  },
  'erasing: the row and the key change together': { world: 'erasing', promise: anotherSequence },
  'erase-owner: key and pseudonym are one step': { world: 'erasing', promise: anotherSequence },
  'erasing: no dead letter was added while it looked': {
    world: 'erasing',
    promise: 'the id of an erased user is there again',
  },
  'erasing: openings lose their lease before the last look': {
    world: 'erasing',
    promise: 'the id of an erased user is there again',
  },
  'installation: what does not count accepts nothing': { world: 'moving', promise: nowhere },
  'installation: taking over waits for the others': { world: 'moving', promise: nowhere },
  'installation: a Redis that was replaced does not come back': { world: 'moving', promise: nowhere },
  'installation: what takes over has no states': { world: 'moving', promise: nowhere },
  'installation: a Redis that counted keeps its states': { world: 'displacing', promise: nowhere },
  'restoring: no process starts with a Redis that was replaced': { world: 'displacing', promise: nowhere },
  'moving: paused, and nothing waits': { world: 'moving', promise: nowhere },
  'repartition: every process is stopped': { world: 'repartitioning', promise: nowhere },
  'repartition: nothing waits': { world: 'repartitioning', promise: nowhere },
  'repartition: Redis is marked before anything moves': { world: 'repartitioning', promise: anotherSequence },
  'repartition: dead letters move': { world: 'repartitioning', promise: nowhere },
  'repartition: states are dropped': { world: 'repartitioning', promise: nowhere },
  'audit: the state is the same at the end': { world: 'auditing', promise: untrue },
  'audit: the total is read with the rows': { world: 'tallying', promise: untrue },
  'read: no dead letter was added meanwhile': { world: 'auditing', promise: untrue },
  'discard: what MySQL lost is written again': { world: 'stranded', promise: nowhere },
  'synchronous: nothing of it waits in Redis': { world: 'stranded', promise: anotherSequence },
  'remove: Redis knows no more than MySQL': {
    world: 'vanishing',
    promise: 'P3: an issue of a coupon that was deleted',
  },
  'swap: MySQL still has the claim': { world: 'failing', promise: nowhere },
  'ledger: the coupon is not archived': { world: 'archiving', promise: 'P2: a user has two rows' },
  'replicas: an answer waits for a replica': { world: 'waiting', promise: nowhere },
  'replicas: also "already issued" waits': { world: 'waiting', promise: nowhere },
  'replicas: a worker writes what a replica has': { world: 'waiting', promise: tooMany },
  'replicas: an opening counts what is offered': { world: 'offering', promise: anotherSequence },
  'discard: what is remembered of it is not offered': { world: 'disowning', promise: anotherSequence },
  'replicas: workers offer what they have in hand': { world: 'offering', promise: tooMany },
  'replicas: a state that lacks what is offered is not proven': { world: 'offering', promise: anotherSequence },
};

/** What the other guards are for. Without one of them no promise breaks that another guard does not keep. */
export const purposes: { readonly [Name in Guard]?: string } = {
  'put: the lock is still held': 'saves work: what is compared after it keeps the write safe',
  'begin-opening: no other opening': 'saves work: of two openers the later one supersedes the earlier',
  'load-owners: the lease is still held':
    'saves work: an opener that is superseded stops early, and finish-opening decides',
  'finish-opening: all owners are there':
    'keeps the script whole: the RENAME of a key that is gone fails after the state was dropped; take compares the owners again',
  'claim: the coupon is not over': 'saves memory: a late request would load the owners of a coupon that was closed',
  'prove: the home is Redis': 'a second line where both stores went back: each move of the home raises the epoch',
  'prove: the epoch is the one in MySQL':
    'P3: a dead letter is discarded, its sequence given again, and Redis goes back to before; 204,000 states, too many for a test',
  'prove: as many owners as rows':
    'a second line: rows that a state does not know are above its next sequence, or their worker drops it',
  'prove: a state of a later epoch is kept':
    'P3: MySQL went back to before the opening, and Redis restarts; 126,000 states of the world of forgetting, too many for a test',
  'apply-edit: the state is of the server that the caller knows':
    'makes the caller open the coupon first: an edit of a state that is then proven is the same edit',
  'lower-total: the version is the one in MySQL':
    'keeps an answered edit in effect: a late command would leave the total too low until it is repaired',
  'close: the epoch is not later': 'saves an opening: a state that is dropped is opened again by the next request',
  'close: no dead letter waits':
    'a second line: a coupon whose home is MySQL is not issued while a dead letter of it waits',
  'claim: the coupon is not archived': 'a second line: it is over, and no edit prolongs it',
  'synchronous: the coupon is not archived': 'a second line: it is over, and no edit prolongs it',
  'edit: the coupon is not archived': 'a second line: neither a claim nor `synchronous` issues of it',
  'archive: nothing waits': 'a second line: a closing has seen that nothing waits, and the ledger writes no row of it',
  'remove: the lease of an opener ends too':
    'for processes that know the server by different names: to one of them the state is usable, and another opens it',
};
