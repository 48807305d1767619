// consumers.ts -- The consumer group of a stream: which worker an entry is pending for, and the removal of consumers that are gone.
//
// Only in worlds with one; in the others any worker may take any entry. Stands for `remove-consumers.lua`.

import { holds, isLeftOut } from './guards.ts';
import type { Emit } from './issuers.ts';
import type { State, User } from './state.ts';

/** `names`: whether there is a consumer of each worker. `seen`: the worker whose consumer is about to be removed, from 1. */
export interface Group {
  names: number[];
  seen: number;
}

export const newGroup = (workers: number): Group => ({ names: Array.from({ length: workers }, () => 0), seen: 0 });

/** Delivered, and pending for no consumer: no read and no claim finds it any more. */
const NOBODY = 3;

/** Whether something is pending for a worker. */
export function hasPending(s: State, w: number): boolean {
  return s.users.some(({ pending }) => pending[0] === w + 1);
}

/** The users whose entries a worker may read: first what is pending for it under its name, else what others left, and new ones. */
export function readableBy(s: State, w: number): readonly User[] {
  const waiting = s.users.filter(({ stream, pending }) => stream > 0 && pending[0] !== NOBODY);
  const own = waiting.filter(({ pending }) => pending[0] === w + 1);
  return own.length > 0 ? own : waiting;
}

/** XREADGROUP or XAUTOCLAIM: the entry is pending for this worker from now on. */
export function assign(s: State, user: User, w: number): void {
  const [group] = s.groups;
  if (!group) return;
  group.names[w] = 1;
  user.pending[0] = w + 1;
}

/** XACK and XDEL. */
export function acknowledge(user: User): void {
  user.pending.fill(0);
}

export function consumerSteps(s: State, emit: Emit): void {
  const [group] = s.groups;
  if (!group) return;
  const isRemovable = (w: number) =>
    group.names[w] === 1 && holds('remove-consumers: nothing is pending', !hasPending(s, w));
  const removable = group.names.flatMap((_, w) => (isRemovable(w) ? [w] : []));
  if (isLeftOut('remove-consumers: looking and removing are one step')) {
    for (const w of group.seen === 0 ? removable : [])
      emit('a consumer without entries is seen:', w, (n) => setSeen(n, w + 1));
    if (group.seen > 0) emit('the consumer that was seen is removed', 0, (n) => removeSeen(n, group.seen - 1));
  } else if (removable.length > 0)
    emit('the consumers of idle workers are removed', 0, (n) => {
      for (const w of removable) remove(n, w);
    });
}

function setSeen(n: State, seen: number): void {
  for (const group of n.groups) group.seen = seen;
}

function removeSeen(n: State, w: number): void {
  remove(n, w);
  setSeen(n, 0);
}

/** XGROUP DELCONSUMER. */
function remove(n: State, w: number): void {
  for (const { names } of n.groups) names[w] = 0;
  for (const user of n.users) if (user.pending[0] === w + 1) user.pending[0] = NOBODY;
}
