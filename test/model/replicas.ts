// replicas.ts -- A Redis with a replica that lags, and is promoted. Stands for `src/issuing/replicas.ts` and `src/stock/offers.ts`.
//
// An answer is a promise that Redis alone keeps until there is a row. Two ways to keep it through a promotion: `WAIT` (nothing is
// answered, or written, before the replica has it), and offering (processes remember what they have accepted or have in hand, and
// the next opening after a promotion counts it). The backup of a state is what the replica has.

import { type Guard, holds, isLeftOut } from './guards.ts';
import { restoreRedis } from './faults.ts';
import { answer, type Emit, type takeWithin as TakeWithin, takeWithin } from './issuers.ts';
import { openerSteps } from './openers.ts';
import { deadLetterSteps } from './operators.ts';
import { heldBy, type State, type User, type World } from './state.ts';
import { workerSteps } from './worker.ts';

type Taken = ReturnType<typeof TakeWithin>;

/** Every step of a world with a replica. */
export function replicaSteps(s: State, world: World, emit: Emit): void {
  const waits = world.may.has('WAIT');
  for (let u = 0; u < world.users; u += 1) requestSteps(s, u, world, emit);
  openerSteps(s, world, (name, who, step) =>
    emit(name, who, world.may.has('offer') ? withOffers(name, who, step) : step),
  );
  workerSteps(s, world, (name, who, step) => {
    const isRead = / reads /.test(name);
    const hasReplica = s.users.every((user) => user.stream === 0 || user.saved[2] === user.stream);
    if (!isRead || !waits || holds('replicas: a worker writes what a replica has', hasReplica)) emit(name, who, step);
  });
  emit('the replica catches up', 0, catchUp);
  if (world.may.has('dead letters'))
    deadLetterSteps(s, (name, who, step) =>
      emit(name, who, (n) => {
        step(n);
        // One that a promotion undoes is a dead letter again, and holds its sequence.
        if (/ discarded/.test(name)) catchUp(n);
      }),
    );
  if (s.faults < world.faultsMax)
    emit('the replica is promoted', 0, (n) => {
      n.faults += 1;
      const promises = n.users.map(({ promised }) => promised);
      restoreRedis(n);
      // Nothing is forgiven.
      n.lossy = 0;
      for (const [u, user] of n.users.entries()) user.promised = promises[u] ?? 0;
      for (const user of n.users) user.decided = 0;
      n.server += 1;
      n.known = n.server;
    });
}

function catchUp(n: State): void {
  n.savedRedis = { ...n.redis, lock: 0, opening: 0 };
  for (const user of n.users) user.saved = [0, user.owner, user.stream, user.first, user.epoch, user.dead];
}

/** `decided` is an answer that waits; `reserved` is what the process remembers that it answered. */
function requestSteps(s: State, u: number, { may }: World, emit: Emit): void {
  const waits = may.has('WAIT');
  const mine = s.users[u];
  if (!mine) return;
  if (mine.decided > 0) {
    // WAIT comes after all that this connection has written, and a batch that writes nothing has nothing to wait for by itself.
    const hasReplica = mine.saved[1] === mine.decided;
    if (holds('replicas: an answer waits for a replica', hasReplica))
      emit('WAIT returns, answered, for', u + 1, (n) => answerTo(n, u, [n.users[u]?.decided ?? 0]));
    return;
  }
  if (!may.has('every answer arrives')) emit('take, with no answer, for', u + 1, (n) => void takeWithin(n, [u]));
  emit(waits ? 'take, for' : 'take, answered, for', u + 1, (n) => {
    const taken = takeWithin(n, [u]);
    const user = n.users[u];
    if (typeof taken === 'string' || !user) return;
    const [number = 0] = taken;
    const isAnswered = number === 0 || (number < 0 && isLeftOut('replicas: also "already issued" waits'));
    if (waits && !isAnswered) user.decided = Math.abs(number);
    else answerTo(n, u, taken);
  });
}

function answerTo(n: State, u: number, taken: Exclude<Taken, string>): void {
  const [number = 0] = taken;
  const user = n.users[u];
  if (!user) return;
  answer(n, u, number);
  user.decided = 0;
  user.reserved = Math.abs(number);
}

/** What some living process knows of a user. */
function offeredBy(user: User): number {
  const inHand = isLeftOut('replicas: workers offer what they have in hand')
    ? 0
    : (user.hand.find((each) => each > 0) ?? 0);
  return user.reserved || inHand;
}

const offering: Guard = 'replicas: an opening counts what is offered';

/** A step of an opener who is offered what others know. */
function withOffers(name: string, p: number, step: (n: State) => void): (n: State) => void {
  if (isLeftOut(offering)) return step;
  const isLoading = name.startsWith('opener reads');
  return (n) => {
    const opener = n.openers[p];
    // Nothing is offered to the server that decided.
    if (n.server === 1) return step(n);
    const isMissing = n.users.some((user) => offeredBy(user) > 0 && user.owner !== offeredBy(user));
    const proves = isLeftOut('replicas: a state that lacks what is offered is not proven');
    if (opener && name.startsWith('opener claims') && isMissing && !proves) opener.version = 0;
    const isFirst = isLoading && opener?.at === 3 && n.redis.opening === p + 1;
    if (isFirst) for (const user of n.users) putBack(n, user, opener.epoch);
    step(n);
  };
}

/** restore-entry.lua: what is offered and nowhere becomes an entry again, unless somebody else has its sequence. */
function putBack(n: State, user: User, epoch: number): void {
  const sequence = offeredBy(user);
  if (sequence === 0 || heldBy(user) > 0 || n.users.some((other) => heldBy(other) === sequence)) return;
  Object.assign(user, { stream: sequence, first: sequence, epoch });
  for (const w of user.hand.keys()) if (user.hand[w]) user.gone[w] = 1;
}
