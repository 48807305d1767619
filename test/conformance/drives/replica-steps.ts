// replica-steps.ts -- A replica of a story, which catches up and is promoted, and answers that wait for it (REPLICAS_MIN).
//
// What the replica has is a copy that is taken when it catches up. Which answers may go on is for the story to say: how a server
// counts its replicas is tested on real ones, in test/integration/replicas.test.ts.

import type { Outcome } from '../../../src/coupon/outcome.ts';
import { createScripted, createTake } from '../../../src/issuing/scripted.ts';
import { type Answers, answersOf, expectAnswers, usersOf } from '../answers.ts';
import type { RealWorld, Running } from '../real-world.ts';
import type { Drive } from '../steps.ts';
import { elsewhere, namesOf, taken } from './issuing-steps.ts';

/** A request that waits, and what it will be answered. */
interface Waiting {
  readonly running: Running<readonly Outcome[]>;
  readonly decided: Answers;
}

/** By user. */
const waiting = new WeakMap<RealWorld, Map<number, Waiting>>();

function waitingIn(world: RealWorld): Map<number, Waiting> {
  const found = waiting.get(world) ?? new Map<number, Waiting>();
  waiting.set(world, found);
  return found;
}

const start = (world: RealWorld, who: number) =>
  world.start(({ redisStock, gate }) => {
    const confirm = () => gate.ask('wait', () => Promise.resolve());
    return createScripted(createTake({ ...redisStock, confirm }, elsewhere)).issue(world.couponId, namesOf(who));
  });

export const replicaSteps: Readonly<Record<string, Drive>> = {
  'take, with no answer, for': async (world, { who }) => {
    const { process } = await start(world, who);
    await process.advance({ lost: 'take' });
  },
  'take, for': async (world, { who, before, after }) => {
    const decided = taken(before, who);
    const running = await start(world, who);
    await running.process.advance({ until: ['wait'] });
    const [u = 0] = usersOf(who);
    if (after.users[u]?.decided === 0) return expectAnswers(answersOf(running.process), decided);
    if (running.process.ended !== null) throw new Error('it is answered before a replica has it');
    waitingIn(world).set(who, { running, decided });
  },
  'WAIT returns, answered, for': async (world, { who }) => {
    const { running, decided = null } = waitingIn(world).get(who) ?? {};
    waitingIn(world).delete(who);
    if (!running) throw new Error('nobody waits');
    await running.process.advance();
    expectAnswers(answersOf(running.process), decided);
  },
  'the replica catches up': (world) => world.backUp(),
  'the replica is promoted': async (world, { after }) => {
    await world.restoreRedis();
    await world.anotherServer();
    await world.know(after.known);
    // The new primary refuses their marks.
    for (const { running } of waitingIn(world).values()) running.process.kill();
    waitingIn(world).clear();
  },
};
