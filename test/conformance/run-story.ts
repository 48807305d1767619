// run-story.ts -- Tells a story to the real stores step by step, and compares after each what they hold with what the model says.

import { describe } from '../model/protocol.ts';
import { initialState, type World } from '../model/state.ts';
import { differences, pictureOfModel } from './picture.ts';
import type { RealWorld } from './real-world.ts';
import { misplaced } from './standing.ts';
import { drive, type Step } from './steps.ts';

/** Model and product are of two minds: the story up to there, and in what they differ. */
export class Divergence extends Error {
  override readonly name = 'Divergence';
}

/**
 * Throws a Divergence at the first step at which the product does not do what the model says.
 *
 * @param verified beginnings of stories that were compared before: they are only done again
 */
export async function runStory(
  real: RealWorld,
  world: World,
  steps: Iterable<Step>,
  verified: Set<string>,
): Promise<void> {
  const told: string[] = [];
  await real.begin(initialState(world));
  try {
    for (const step of steps) {
      told.push(describe(step.name, step.who));
      const beginning = told.join();
      const wrong = await runStep(real, step, verified.has(beginning));
      verified.add(beginning);
      if (wrong.length === 0) continue;
      const story = told.map((words, i) => `  ${String(i + 1).padStart(2)}  ${words}`);
      throw new Divergence(`${wrong.join('\n')}\nafter\n${story.join('\n')}`);
    }
  } finally {
    real.end();
  }
}

async function runStep(real: RealWorld, step: Step, isVerified: boolean): Promise<readonly string[]> {
  try {
    await drive(real, step);
  } catch (error) {
    return [error instanceof Error ? `${error.name}: ${error.message}` : String(error)];
  }
  if (isVerified) return [];
  const picture = await real.picture(step.after);
  return [...differences(pictureOfModel(step.after), picture), ...misplaced(real, step.after)];
}
