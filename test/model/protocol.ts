// protocol.ts -- The protocol of one coupon: every step that some process, store or clock can take next.

import { auditSteps, watched } from './audit.ts';
import { consumerSteps } from './consumers.ts';
import { erasingSteps } from './erasing.ts';
import { faultSteps } from './faults.ts';
import { type Emit, issuerSteps } from './issuers.ts';
import { openerSteps } from './openers.ts';
import { movingSteps } from './moving.ts';
import { operatorSteps } from './operators.ts';
import type { State, World } from './state.ts';
import { replicaSteps } from './replicas.ts';
import { workerSteps } from './worker.ts';

/** Emits the steps that can be taken in a state, always in the same order. */
export function stepsFrom(s: State, world: World, each: Emit): void {
  const all: Emit = world.isCalm ? (name, who, change) => void (isMishap.test(name) || each(name, who, change)) : each;
  const emit = watched(world, all);
  if (world.hasTwoPlaces) return movingSteps(s, world, emit);
  if (world.may.has('replica')) return replicaSteps(s, world, emit);
  if (world.may.has('erase')) return erasingSteps(s, emit);
  issuerSteps(s, world, emit);
  openerSteps(s, world, emit);
  workerSteps(s, world, emit);
  operatorSteps(s, world, emit);
  faultSteps(s, world, emit);
  consumerSteps(s, emit);
  auditSteps(s, all);
}

/** What does not happen in a calm world. */
const isMishap = /dies|reply lost|runs out|arrives$|another process gets|ends the transaction/;

/** A step in words. */
export function describe(name: string, who: number): string {
  return /[:]$/.test(name) ? `${name.slice(0, -1)} (${who + 1})` : who > 0 ? `${name} ${who}` : name;
}
