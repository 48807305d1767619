// steps.ts -- Every step of the model, done by the product itself: what it takes to let a process go exactly so far.

import type { State } from '../model/state.ts';
import { auditSteps } from './drives/audit-steps.ts';
import { faultSteps } from './drives/fault-steps.ts';
import { issuingSteps } from './drives/issuing-steps.ts';
import { openingSteps } from './drives/opening-steps.ts';
import { operatorSteps } from './drives/operator-steps.ts';
import type { RealWorld } from './real-world.ts';
import { replicaSteps } from './drives/replica-steps.ts';
import { workerSteps } from './drives/worker-steps.ts';

/** One step of a story, with the model before and after. */
export interface Step {
  readonly name: string;
  /** Which users, opener, worker or entry, as the model counts them. */
  readonly who: number;
  readonly before: State;
  readonly after: State;
}

/** Does a step on the real stores. Throws when the product does not act as the model says. */
export type Drive = (world: RealWorld, step: Step) => Promise<void>;

const drives: Readonly<Record<string, Drive>> = {
  ...issuingSteps,
  ...openingSteps,
  ...workerSteps,
  ...operatorSteps,
  ...faultSteps,
  ...auditSteps,
  ...replicaSteps,
};

/** A step as its kind is called: without the number of who does it. */
export function kindOf(name: string): string {
  return name.replace(/^worker \d+ reads/, 'worker reads').replace(/:$/, '');
}

/** The kinds that can be driven. */
export const drivenKinds: ReadonlySet<string> = new Set(Object.keys(drives));

export async function drive(world: RealWorld, step: Step): Promise<void> {
  const driven = drives[kindOf(step.name)];
  if (!driven) throw new Error(`there is no way to drive "${step.name}"`);
  await driven(world, step);
}
