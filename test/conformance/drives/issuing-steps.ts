// issuing-steps.ts -- The three issuers of a story, `src/issuing/{scripted,locked,synchronous}.ts`, and what they answer.

import { type Outcome, Unavailable } from '../../../src/coupon/outcome.ts';
import { createLocked } from '../../../src/issuing/locked.ts';
import { createScripted, createTake } from '../../../src/issuing/scripted.ts';
import { createSynchronous } from '../../../src/issuing/synchronous.ts';
import { createEpochReader } from '../../../src/stock/restoring.ts';
import { issueInMysql } from '../../model/issuers.ts';
import { look, take } from '../../model/scripts.ts';
import type { State } from '../../model/state.ts';
import { type Answers, answersOf, expectAnswers, usersOf } from '../answers.ts';
import type { Process } from '../gate.ts';
import { userName } from '../picture.ts';
import { OTHER_PROCESS, type Parts, type RealWorld } from '../real-world.ts';
import type { Drive } from '../steps.ts';

/** A coupon that is not open is opened by an opener of the story; the request gets 503. */
export const elsewhere = {
  open: () => Promise.reject(new Unavailable('dependency', 'an opener of the story opens it')),
};

export const namesOf = (who: number): readonly string[] => usersOf(who).map(userName);

/** What `take` answers in this state. */
export function taken(before: State, who: number): Answers {
  const decided = take(structuredClone(before), usersOf(who));
  return decided === 'not open' ? null : typeof decided === 'string' ? usersOf(who).map(() => decided) : decided;
}

async function takeInRedis(world: RealWorld, who: number, lost?: string): Promise<Answers> {
  const { process } = await world.start(({ redisStock }) =>
    createScripted(createTake(redisStock, elsewhere)).issue(world.couponId, namesOf(who)),
  );
  await process.advance(lost === undefined ? {} : { lost });
  return answersOf(process);
}

/** `isHinted`: it has heard before that Redis is the home of the coupon, and does not ask MySQL again. */
async function synchronousOf(world: RealWorld, parts: Parts, isHinted: boolean) {
  const { gate, redisStock, database } = parts;
  const { drop } = redisStock;
  let isReady = !isHinted;
  const takeStock = createTake(redisStock, elsewhere);
  const issuer = createSynchronous({
    database,
    drop,
    exists: () => true,
    epochInRedis: isHinted ? () => 0 : createEpochReader(redisStock),
    take: (...batch) => (isReady ? takeStock(...batch) : elsewhere.open()),
  });
  if (isReady) return issuer;
  const row = { stockHome: 'redis', dateIssueStart: new Date(0), dateIssueEnd: new Date(0), paused: 0, epoch: 0 };
  gate.substitute = (name) => (name === 'begin' ? [[{}, [row], []]] : name === 'rollback' ? [{}] : undefined);
  await issuer.issue(world.couponId, [userName(0)]).catch(() => undefined);
  gate.substitute = () => undefined;
  isReady = true;
  return issuer;
}

async function inMysql(world: RealWorld, who: number, lost?: string): Promise<Answers> {
  const { process } = await world.start(async (parts) =>
    (await synchronousOf(world, parts, false)).issue(world.couponId, namesOf(who)),
  );
  await process.advance(lost === undefined ? {} : { lost });
  return answersOf(process);
}

/** Why nothing was issued in MySQL, where the model has no number. */
function refusalInMysql({ sql, time }: State): string {
  if (sql.paused) return 'paused';
  return time < 1 ? 'not started' : 'ended';
}

/** Lets an issuer go, and compares what it answers once it has ended. */
function answered(answers: Answers, process: Process<readonly Outcome[]>): void {
  expectAnswers(answersOf(process), answers);
}

/** What a batch that reserved is answered when it has written its rows. */
function answeredAfterWriting({ users }: State, batch: readonly number[], reserved: Answers): Answers {
  if (reserved === null) return null;
  const answers = batch.map((u, i) => {
    const user = users[u];
    const number = reserved[i] ?? 0;
    return typeof number === 'number' && number > 0 ? user?.row || number : number;
  });
  return answers;
}

interface Batch {
  readonly users: readonly number[];
  readonly decided: Answers;
}

/** The batches that `synchronous` and `locked` have in hand. */
const batches = new WeakMap<object, Batch>();

const reserve: Drive = async (world, { who, before, after }) => {
  const decided = taken(before, who);
  const running = await world.start(async (parts) =>
    (await synchronousOf(world, parts, true)).issue(world.couponId, namesOf(who)),
  );
  batches.set(running, { users: usersOf(who), decided });
  world.synchronous = running;
  await running.process.advance({ until: ['begin'] });
  if (after.synchronous.at === 0) endSynchronous(world, decided);
};

function endSynchronous(world: RealWorld, expected: Answers): void {
  const running = world.synchronous;
  world.synchronous = null;
  if (!running) return;
  if (running.process.ended === null) throw new Error(`synchronous goes on with ${running.gate.names.join()}`);
  answered(expected, running.process);
}

const lookFor: Drive = async (world, { who, before, after }) => {
  const running = await world.start(({ redisStock, settings }) =>
    createLocked({ redisStock, stock: elsewhere, take: elsewhere.open, settings }).issue(world.couponId, namesOf(who)),
  );
  world.locked = running;
  batches.set(running, { users: usersOf(who), decided: taken(before, who) });
  await running.process.advance({ until: ['put'] });
  if (after.locked.at > 0) return;
  // With the lock it decides as `take` does.
  const decided = look(structuredClone(before)) === 'not open' ? null : taken(before, who);
  world.locked = null;
  answered(decided, running.process);
};

async function put(world: RealWorld, before: State, after: State, lost?: string): Promise<void> {
  const running = world.locked;
  world.locked = null;
  if (!running) return;
  await running.process.advance(lost === undefined ? {} : { lost });
  const { users } = batches.get(running) ?? { users: [] };
  const isWritten = after.redis.next > before.redis.next;
  const expected = users.map((u) => {
    const { decided = 0, owner = 0 } = before.users[u] ?? {};
    return decided || -owner;
  });
  answered(isWritten && lost === undefined ? expected : null, running.process);
}

export const issuingSteps: Readonly<Record<string, Drive>> = {
  'take, answered, for': async (world, { who, before }) => {
    expectAnswers(await takeInRedis(world, who), taken(before, who));
  },
  'take, reply lost, for': async (world, { who }) => void (await takeInRedis(world, who, 'take')),
  'synchronous: issues in MySQL, answered, to': async (world, { who, before }) => {
    const expected = issueInMysql(structuredClone(before), usersOf(who));
    const words = expected.map((number) => (Number.isNaN(number) ? refusalInMysql(before) : number));
    expectAnswers(await inMysql(world, who), words);
  },
  'synchronous: issues in MySQL, reply lost, to': async (world, { who }) => void (await inMysql(world, who, 'insert')),
  'synchronous: takes in Redis for': reserve,
  'synchronous: writes its rows': async (world) => {
    await world.synchronous?.process.advance({ until: ['unlink'] });
  },
  'synchronous: drops the state': async (world) => {
    await world.synchronous?.process.advance();
  },
  'synchronous: answers': async (world, { before }) => {
    const { users, decided } = (world.synchronous && batches.get(world.synchronous)) ?? { users: [], decided: null };
    // One that found no stock makes the whole batch ambiguous.
    const isDead = users.some((u, i) => Number(decided?.[i]) > 0 && before.users[u]?.reserved === 0);
    endSynchronous(world, isDead ? null : answeredAfterWriting(before, users, decided));
  },
  'synchronous: dies': async (world) => {
    world.synchronous?.process.kill();
    world.synchronous = null;
  },
  'locked: gets the lock and looks for': lookFor,
  'locked: puts, answered': (world, { before, after }) => put(world, before, after),
  'locked: puts, reply lost': (world, { before, after }) => put(world, before, after, 'put'),
  'locked: dies': async (world) => {
    world.locked?.process.kill();
    world.locked = null;
  },
  'the lock of `locked` runs out': async (world) => void (await world.redis.del(world.keys.lock)),
  'another process gets the lock': async (world) => void (await world.redis.set(world.keys.lock, OTHER_PROCESS)),
};
