// moving.ts -- Two places for the stock of a coupon: two Redis servers of one installation, or two numbers of partitions in one Redis.
//
// Stands for `src/installation`. Each place has an opener, a worker and processes of its own, so every step of them is taken with the
// places exchanged where they use the second. A pause is what an operator asks for with the order in docs/releases.md: no request
// comes until it is over.

import { holds, isLeftOut } from './guards.ts';
import { type Emit, issuerSteps } from './issuers.ts';
import { forgive } from './faults.ts';
import { openerSteps, reset } from './openers.ts';
import { heldBy, type State, type User, type World } from './state.ts';
import { workerSteps } from './worker.ts';

/** What is known of the two places. Arrays have the first place first. */
export interface Places {
  /** The place that MySQL says counts, from 1, and its generation. */
  counts: number;
  generation: number;
  /** The generation that the mark in each Redis says; 0 without a mark. */
  marks: number[];
  /** Whether processes that use a place accept requests there. */
  accepts: number[];
  /** The place that a process is just about to make the one that counts, and how far it is. */
  taking: number;
  at: number;
  paused: number;
  /** The place whose mark is new and not yet in MySQL, from 1; 0: none. */
  marking: number;
  /** In a backup of MySQL: which place counts, and its generation. */
  backup: number[];
}

export const newPlaces = (): Places => {
  const places = { counts: 1, generation: 1, marks: [1, 0], accepts: [1, 0], taking: 0, at: 0, paused: 0 };
  return { ...places, marking: 0, backup: [0, 0] };
};

/** Every step of a world with two places. */
export function movingSteps(s: State, world: World, emit: Emit): void {
  const { places } = s;
  const [now] = places;
  if (!now) return;
  for (const place of [0, 1]) {
    const suffix = place === 1 ? ' in the second place' : '';
    const there: Emit = (name, who, step) => {
      // Of openers and workers, each place has its own.
      const isOther =
        (name.startsWith('opener ') && who !== place) ||
        (/^worker (1|2) /.test(name) && !name.includes(` ${place + 1} `));
      if (isOther || (/^worker .*:$/.test(name) && who !== place)) return;
      if (name.startsWith('opener begins') && (now.accepts[place] === 0 || now.paused === 1)) return;
      emit(
        name.replace(/:?$/, (colon) => suffix + colon),
        who,
        (n) => within(n, place, step),
      );
    };
    exchange(s, place);
    if (now.accepts[place] === 1 && now.paused === 0) issuerSteps(s, world, there);
    openerSteps(s, world, there);
    workerSteps(s, world, there);
    exchange(s, place);
    processSteps(s, place, emit);
  }
  if (now.paused === 0) emit('the operator pauses', 0, (n) => change(n, { paused: 1 }));
  else if (now.taking === 0) emit('the operator resumes', 0, (n) => change(n, { paused: 0 }));
  if (world.may.has('move')) moveSteps(s, now, emit);
  if (world.may.has('repartition')) repartitionSteps(s, now, emit);
  if (world.may.has('MySQL goes back to the backup')) restoreSteps(s, world, now, emit);
}

/** MySQL goes back, perhaps to before another Redis took over. Which one that was is in the marks alone, then. */
function restoreSteps(s: State, world: World, now: Places, emit: Emit): void {
  if (s.saved === 0)
    emit('MySQL is backed up', 0, (n) => {
      n.saved = 1;
      n.savedSql = { ...n.sql };
      for (const user of n.users) user.saved[0] = user.row;
      change(n, { backup: [now.counts, now.generation] });
    });
  const [counts = 1, generation = 1] = now.backup;
  if (s.saved === 0 || s.faults >= world.faultsMax || now.taking > 0) return;
  emit('MySQL goes back to the backup', 0, (n) => {
    n.faults += 1;
    n.behind = 1;
    n.sql = { ...n.savedSql };
    for (const user of n.users) user.row = user.saved[0] ?? 0;
    for (const place of [0, 1]) within(n, place, ({ redis }) => void (redis.opening = 0));
    for (const [p] of n.openers.entries()) reset(n, p);
    change(n, { counts, generation });
    forgive(n);
  });
}

/** Whether another Redis took over since what MySQL knows. */
const wasReplaced = ({ marks }: Places, place: number): boolean => (marks[1 - place] ?? 0) > (marks[place] ?? 0);

/** Does a step with the places exchanged, if it is one of the second. */
function within(n: State, place: number, step: (n: State) => void): void {
  exchange(n, place);
  step(n);
  exchange(n, place);
}

function exchange(s: State, place: number): void {
  const [other] = s.others;
  if (place === 0 || !other) return;
  [s.redis, other.redis] = [other.redis, s.redis];
  for (const user of s.users) {
    const here = [user.owner, user.stream, user.first, user.epoch, user.dead];
    const [owner = 0, stream = 0, first = 0, epoch = 0, dead = 0] = user.away;
    Object.assign(user, { owner, stream, first, epoch, dead, away: here });
  }
}

function change(n: State, changes: Partial<Places>): void {
  Object.assign(n.places[0] ?? {}, changes);
}

function setAccepts(n: State, place: number, accepts: number): void {
  const [now] = n.places;
  if (now) now.accepts[place] = accepts;
}

/** After a restore processes start with the Redis that they used before it. */
function isOfBefore(s: State, now: Places, place: number): boolean {
  const isOf = s.behind === 0 || !wasReplaced(now, place);
  return holds('restoring: no process starts with a Redis that was replaced', isOf);
}

/** What processes that use a place do by themselves: they compare every second, stop, and start again. */
function processSteps(s: State, place: number, emit: Emit): void {
  const [now] = s.places;
  if (!now) return;
  const isCounting = now.counts === place + 1;
  const suffix = ` in place ${place + 1}`;
  const sees = !isLeftOut('installation: what does not count accepts nothing');
  if (now.accepts[place] === 1) {
    if (!isCounting && sees)
      emit(`the processes notice that another place counts${suffix}`, 0, (n) => setAccepts(n, place, 0));
    emit(`all processes are stopped${suffix}`, 0, (n) => setAccepts(n, place, 0));
  } else if (now.taking === 0 && (isCounting || !sees) && (now.marks[place] ?? 0) > 0 && isOfBefore(s, now, place))
    emit(`processes start${suffix}`, 0, (n) => setAccepts(n, place, 1));
}

const isWaiting = (user: User, place: number): boolean =>
  place === 0 ? user.stream + user.dead > 0 : (user.away[1] ?? 0) + (user.away[4] ?? 0) > 0;

/** installation.ts: a process that starts with the Redis that does not count. */
function moveSteps(s: State, now: Places, emit: Emit): void {
  const former = now.counts - 1;
  const place = 1 - former;
  const mark = now.marks[place] ?? 0;
  // After a restore, what MySQL lost is written again first.
  const isLost = (user: User) => s.behind === 1 && heldBy(user) === 0 && user.promised > 0;
  const isByPlan = now.paused === 1 && s.users.every((user) => !isWaiting(user, former) && !isLost(user));
  // One that was replaced is started by mistake.
  const isAllowed = mark === 0 ? holds('moving: paused, and nothing waits', isByPlan) : mark > now.generation;
  if (
    now.taking === 0 &&
    now.generation < 3 &&
    holds('installation: a Redis that was replaced does not come back', isAllowed) &&
    isOfBefore(s, now, place)
  )
    emit('a process starts with the other Redis, and marks it', 0, (n) => {
      const [places] = n.places;
      if (!places) return;
      const isNew = mark === 0;
      if (isNew) places.marks[place] = places.generation + 1;
      change(n, { taking: place + 1, at: 1, marking: isNew ? place + 1 : places.marking });
    });
  if (now.taking > 0 && now.at === 1)
    emit('it writes to MySQL that this one counts', 0, (n) => {
      const isNew = now.marking === now.taking;
      const drops = isNew || isLeftOut('installation: a Redis that counted keeps its states');
      if (drops && !isLeftOut('installation: what takes over has no states')) dropStates(n, now.taking - 1);
      change(n, {
        counts: now.taking,
        generation: Math.max(now.generation + 1, now.marks[now.taking - 1] ?? 0),
        at: 2,
        marking: 0,
      });
    });
  const isNoticed = now.accepts[2 - now.taking] === 0 || isLeftOut('installation: what does not count accepts nothing');
  if (now.taking > 0 && now.at === 2 && holds('installation: taking over waits for the others', isNoticed))
    emit('it has waited, and accepts', 0, (n) => {
      setAccepts(n, now.taking - 1, 1);
      change(n, { taking: 0, at: 0 });
    });
  const isIdle = now.accepts[place] === 0 && now.taking === 0 && now.paused === 1;
  if (isIdle && mark > 0 && wasReplaced(now, place) && s.users.every((user) => !isWaiting(user, place)))
    emit('the operator deletes the mark of the Redis that was replaced', 0, (n) => {
      const [places] = n.places;
      if (places) places.marks[place] = 0;
    });
}

function dropStates(n: State, place: number): void {
  within(n, place, ({ redis }) => {
    for (const name of Object.keys(redis) as (keyof State['redis'])[]) redis[name] = 0;
  });
}

/** repartition.ts: the places are two numbers of partitions. The mark says which one the keys in Redis are for. */
function repartitionSteps(s: State, now: Places, emit: Emit): void {
  const areResting = [...s.openers, ...s.workers].every(({ at }) => at === 0);
  const isStopped = now.accepts.every((accepts) => accepts === 0) && areResting;
  if (now.taking === 0 && now.generation < 3 && holds('repartition: every process is stopped', isStopped)) {
    const isWritten = s.users.every(({ stream, away }) => stream + (away[1] ?? 0) === 0);
    const isInterrupted = now.marks[now.counts - 1] === 0;
    for (const to of [1, 2])
      if ((to !== now.counts || isInterrupted) && holds('repartition: nothing waits', isWritten))
        emit('bun run partitions: sees that nothing waits, to place', to, (n) => change(n, { taking: to, at: 1 }));
  }
  if (now.taking === 0) return;
  emit('bun run partitions: is interrupted', 0, (n) => change(n, { taking: 0, at: 0 }));
  const names = ['begins', 'moves the dead letters', 'drops streams and states', 'marks Redis', 'changes MySQL'];
  emit(`bun run partitions: ${names[now.at - 1]}`, 0, repartition);
}

/** Does the next step of the command. */
function repartition(n: State): void {
  const [now] = n.places;
  if (!now) return;
  const target = now.taking - 1;
  // A mark that is right for no process.
  if (now.at === 1 && !isLeftOut('repartition: Redis is marked before anything moves')) now.marks = [0, 0];
  if (now.at === 2 && !isLeftOut('repartition: dead letters move')) moveLetters(n, target);
  if (now.at === 3)
    for (const place of [0, 1]) {
      within(n, place, () => {
        for (const user of n.users) user.stream = user.first = user.epoch = 0;
      });
      if (!isLeftOut('repartition: states are dropped')) dropStates(n, place);
    }
  if (now.at === 4) now.marks = target === 0 ? [1, 0] : [0, 1];
  if (now.at < 5) now.at += 1;
  else change(n, { counts: now.taking, generation: now.generation + 1, taking: 0, at: 0 });
}

function moveLetters(n: State, target: number): void {
  within(n, target, () => {
    for (const user of n.users) {
      user.dead ||= user.away[4] ?? 0;
      user.away[4] = 0;
    }
  });
}

/** Everybody goes on where it counts; nobody looks anywhere else any more. */
export function settleIn(s: State, world: World): void {
  const [now] = s.places;
  if (!now) return;
  if (world.may.has('repartition') && now.marks[now.counts - 1] === 0) {
    // No process starts before the command is done.
    change(s, { taking: 3 - now.counts, at: 2 });
    while (now.at > 0) repartition(s);
  }
  // A process that starts after a restore finds the Redis that took over before it.
  exchange(s, s.behind === 1 && wasReplaced(now, now.counts - 1) ? 2 - now.counts : now.counts - 1);
  for (const user of s.users) user.away.fill(0);
  s.others = [];
  s.places = [];
}
