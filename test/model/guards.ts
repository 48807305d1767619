// guards.ts -- Every comparison of the protocol that ends in "changed", "superseded", "not open" and the like, by name.
//
// The model asks `holds(name, condition)` where the product compares. A search may leave a guard out: it then always holds, and
// either a promise breaks, which is the reason for the guard, or the guard is there for something else, which its comment says.

/** The guards, each with the file that it stands for. */
export const guardFiles = {
  'take: the state is of the server that the caller knows': 'src/stock/scripts/take.lua',
  'take: the server is the one that the caller knows': 'src/stock/scripts/take.lua',
  'take: as many owners as issues': 'src/stock/scripts/take.lua',
  'put: the lock is still held': 'src/stock/scripts/put.lua',
  'put: the epoch is the one that was read': 'src/stock/scripts/put.lua',
  'put: the version is the one that was read': 'src/stock/scripts/put.lua',
  'put: the next sequence is the one that was read': 'src/stock/scripts/put.lua',
  'put: the server is the one that was read': 'src/stock/scripts/put.lua',
  'put: the period is not over': 'src/stock/scripts/put.lua',
  'put: the stock is not lowered': 'src/stock/scripts/put.lua',
  'begin-opening: no other opening': 'src/stock/scripts/begin-opening.lua',
  'begin-opening: the state is of this server': 'src/stock/scripts/begin-opening.lua',
  'begin-opening: as many owners as issues': 'src/stock/scripts/begin-opening.lua',
  'load-owners: the lease is still held': 'src/stock/scripts/load-owners.lua',
  'finish-opening: the lease is still held': 'src/stock/scripts/finish-opening.lua',
  'finish-opening: all owners are there': 'src/stock/scripts/finish-opening.lua',
  'prove-state: the lease is still held': 'src/stock/scripts/prove-state.lua',
  'claim: the epoch goes up': 'src/stock/opening.ts',
  'claim: the coupon is not over': 'src/stock/opening.ts',
  'prove: the home is Redis': 'src/stock/opening.ts',
  'prove: the epoch is the one in MySQL': 'src/stock/opening.ts',
  'prove: the version is the one in MySQL': 'src/stock/opening.ts',
  'prove: as many owners as rows': 'src/stock/opening.ts',
  'prove: the next sequence is above all rows': 'src/stock/opening.ts',
  'prove: a state of a later epoch is kept': 'src/stock/opening.ts',
  'gather: entries before rows': 'src/stock/opening.ts',
  'gather: dead letters too': 'src/stock/opening.ts',
  'gather: the stream before dead letters': 'src/stock/opening.ts',
  'settle: a dead letter only of an entry that is there': 'src/stream/scripts/settle.lua',
  'replay: the lease of an opener ends': 'src/stream/scripts/replay.lua',
  'remove-consumers: nothing is pending': 'src/stream/scripts/remove-consumers.lua',
  'remove-consumers: looking and removing are one step': 'src/stream/scripts/remove-consumers.lua',
  'ledger: the user has no row': 'src/ledger/plan.ts',
  'ledger: the sequence is free': 'src/ledger/plan.ts',
  'ledger: stock is left': 'src/ledger/plan.ts',
  'drain: a withdrawn entry of an earlier opening is not written': 'workers/drain.ts',
  'drain: forget a state that does not know all rows': 'workers/drain.ts',
  'drain: entries that were gone are asked for too': 'workers/drain.ts',
  'drop: the lease of an opener ends too': 'src/stock/opening.ts',
  'synchronous: the home is MySQL': 'src/issuing/synchronous.ts',
  'synchronous: Redis has no state of a later epoch': 'src/issuing/synchronous.ts',
  'synchronous: forget a state that does not know all rows': 'src/issuing/synchronous.ts',
  'apply-edit: the state is of the server that the caller knows': 'src/stock/scripts/apply-edit.lua',
  'apply-edit: the version is newer': 'src/stock/scripts/apply-edit.lua',
  'lower-total: no more were issued': 'src/stock/scripts/lower-total.lua',
  'lower-total: the version is the one in MySQL': 'src/stock/scripts/lower-total.lua',
  'edit: lowered in Redis before MySQL': 'src/stock/editing.ts',
  'edit: raised in MySQL before Redis': 'src/stock/editing.ts',
  'close: the epoch is not later': 'src/stock/scripts/close.lua',
  'close: the lease of an opener ends too': 'src/stock/scripts/close.lua',
  'close: every owner has a row': 'workers/reconcile.ts',
  'close: no entry waits': 'src/stock/closing.ts',
  'close: no dead letter waits': 'src/stock/closing.ts',
  'close: the epoch is the same under the row lock': 'src/stock/closing.ts',
  'discard: the state goes in the same step': 'src/stream/scripts/discard.lua',
  'discard: what is remembered of it is not offered': 'src/stream/scripts/discard.lua',
  'remove: nothing was issued in Redis': 'src/stock/scripts/remove-unissued.lua',
  'remove: the lease of an opener ends too': 'src/stock/scripts/remove-unissued.lua',
  'discard: what MySQL lost is written again': 'docs/protocol.md',
  'read: no dead letter was added meanwhile': 'src/stream/accepted.ts',
  'audit: the total is read with the rows': 'src/operations/audit.ts',
  'audit: the state is the same at the end': 'src/operations/audit.ts',
  'synchronous: nothing of it waits in Redis': 'src/stock/restoring.ts',
  'remove: Redis knows no more than MySQL': 'src/stock/editing.ts',
  'swap: MySQL still has the claim': 'src/stock/opening.ts',
  'installation: what does not count accepts nothing': 'src/installation/installation.ts',
  'installation: taking over waits for the others': 'src/installation/installation.ts',
  'installation: a Redis that was replaced does not come back': 'src/installation/installation.ts',
  'installation: what takes over has no states': 'src/installation/installation.ts',
  'installation: a Redis that counted keeps its states': 'src/installation/installation.ts',
  'restoring: no process starts with a Redis that was replaced': 'docs/restoring.md',
  'moving: paused, and nothing waits': 'docs/releases.md',
  'repartition: every process is stopped': 'docs/releases.md',
  'repartition: nothing waits': 'src/installation/repartition.ts',
  'repartition: Redis is marked before anything moves': 'src/installation/repartition.ts',
  'repartition: dead letters move': 'src/installation/repartition.ts',
  'repartition: states are dropped': 'src/installation/repartition.ts',
  'ledger: the coupon is not archived': 'src/ledger/ledger.ts',
  'claim: the coupon is not archived': 'src/stock/opening.ts',
  'synchronous: the coupon is not archived': 'src/issuing/synchronous.ts',
  'edit: the coupon is not archived': 'src/stock/editing.ts',
  'archive: nothing waits': 'src/operations/archive.ts',
  'take: pseudonyms are looked up': 'src/stock/scripts/take.lua',
  'synchronous: pseudonyms are looked up': 'src/issuing/synchronous.ts',
  'opening: the key is read after the owners': 'src/stock/opening.ts',
  'ledger: an entry of an erased user is of the pseudonym': 'src/ledger/ledger.ts',
  'ledger: an old entry whose sequence an erased user has is a row': 'src/ledger/ledger.ts',
  'erasing: the row and the key change together': 'src/operations/erasing.ts',
  'erase-owner: key and pseudonym are one step': 'src/stock/scripts/erase-owner.lua',
  'erasing: no dead letter was added while it looked': 'src/operations/erasing.ts',
  'erasing: openings lose their lease before the last look': 'src/operations/erasing.ts',
  'replicas: an answer waits for a replica': 'src/issuing/scripted.ts',
  'replicas: also "already issued" waits': 'src/issuing/scripted.ts',
  'replicas: a worker writes what a replica has': 'workers/inbox.ts',
  'replicas: an opening counts what is offered': 'src/stock/opening.ts',
  'replicas: workers offer what they have in hand': 'workers/partition.ts',
  'replicas: a state that lacks what is offered is not proven': 'src/stock/opening.ts',
} as const;

export type Guard = keyof typeof guardFiles;

const leftOut = new Set<string>();

/** Leaves guards out from now on, in this process. */
export function leaveOut(...guards: readonly Guard[]): void {
  leftOut.clear();
  for (const guard of guards) leftOut.add(guard);
}

/** Whether the search goes without this guard. */
export function isLeftOut(guard: Guard): boolean {
  return leftOut.has(guard);
}

/** Whether the condition holds, or its guard is left out. */
export function holds(guard: Guard, condition: boolean): boolean {
  return condition || leftOut.has(guard);
}
