// protocol.ts -- The protocol of one coupon: every step that some process, store or clock can take next.

import { faultSteps } from './faults.ts';
import { type Emit, issuerSteps } from './issuers.ts';
import { openerSteps } from './openers.ts';
import { operatorSteps } from './operators.ts';
import type { State, World } from './state.ts';
import { workerSteps } from './worker.ts';

/** Emits the steps that can be taken in a state, always in the same order. */
export function stepsFrom(s: State, world: World, emit: Emit): void {
  issuerSteps(s, world, emit);
  openerSteps(s, world, emit);
  workerSteps(s, world, emit);
  operatorSteps(s, world, emit);
  faultSteps(s, world, emit);
}

/** A step in words. */
export function describe(name: string, who: number): string {
  return /[:]$/.test(name) ? `${name.slice(0, -1)} (${who + 1})` : who > 0 ? `${name} ${who}` : name;
}
