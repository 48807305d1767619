// changers.ts -- Beside the crowd, a few callers who use what others won, undo it and revoke it, two at the same time; and what their answers
// prove in the end.

import { and, eq, inArray } from 'drizzle-orm';
import { setTimeout as pause } from 'node:timers/promises';
import { couponIssues } from '../../drizzle/schema.ts';
import { withConnection } from '../../src/mysql/database.ts';
import { type Change, changes, isExplained, type Sent, type State, stateOf } from '../change-histories.ts';
import { ADMIN_KEY, type Cluster } from './cluster.ts';
import { type Crowd, mayWithdraw } from './crowd.ts';
import { Lane, type Question, type Reply } from './lane.ts';
import type { SeededRandom } from './seeded-random.ts';

const CALLERS = 2;
const ANSWER_MS_MAX = 6000;
const PAUSE_MS = 20;
/** How much longer a coupon must go on: nobody may archive it meanwhile. */
const OPEN_MS = 60_000;
const PHASES_MAX = 3;

/** What was asked of one issue. */
export interface IssueHistory {
  readonly couponId: number;
  readonly userId: string;
  readonly startMs: number;
  /** When the last answer was there; infinite where one is missing, since that change may be made later. */
  endMs: number;
  readonly phases: (readonly Sent[])[];
}

export class Changers {
  readonly histories: IssueHistory[] = [];
  /** Answers that no caller may ever get. */
  readonly wrongAnswers: string[] = [];
  readonly #ports: readonly number[];
  readonly #crowd: Crowd;
  readonly #random: SeededRandom;
  readonly #changed = new Set<string>();
  #running: Promise<unknown> | null = null;
  #stopped = false;

  constructor(ports: readonly number[], crowd: Crowd, random: SeededRandom) {
    this.#ports = ports;
    this.#crowd = crowd;
    this.#random = random;
  }

  start(): void {
    if (this.#ports.length > 0) this.#running = Promise.all(Array.from({ length: CALLERS }, () => this.#call()));
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }

  async #call(): Promise<void> {
    // Two for each process: a lane is one connection.
    const lanes = [...this.#ports, ...this.#ports].map((port) => new Lane(port, ANSWER_MS_MAX));
    while (!this.#stopped) {
      const won = this.#pick();
      if (won) await this.#change(lanes, won);
      await pause(PAUSE_MS);
    }
    for (const lane of lanes) lane.close();
  }

  /** An issue that somebody was promised, and nobody has changed. */
  #pick() {
    const { attempts, coupons } = this.#crowd;
    if (attempts.length === 0) return null;
    const { couponId, userId, result } = this.#random.pick(attempts.slice(-1000));
    const endMs = coupons.find(({ id }) => id === couponId)?.endMs ?? 0;
    const key = `${couponId} ${userId}`;
    if (mayWithdraw(userId)) return null;
    if (result.kind !== 'ok' || endMs < Date.now() + OPEN_MS || this.#changed.has(key)) return null;
    this.#changed.add(key);
    return { couponId, userId };
  }

  async #change(lanes: readonly Lane[], { couponId, userId }: { readonly couponId: number; readonly userId: string }) {
    const history: IssueHistory = { couponId, userId, startMs: Date.now(), endMs: Infinity, phases: [] };
    this.histories.push(history);
    for (let phase = this.#random.between(1, PHASES_MAX); phase > 0 && !this.#stopped; phase -= 1) {
      const [one, other] = this.#random.shuffle(lanes);
      const asked = [one, this.#random.chance(0.5) ? other : undefined].filter((lane) => lane !== undefined);
      const sending = asked.map(async (lane): Promise<Sent | null> => {
        const change = this.#random.pick(Object.keys(changes) as Change[]);
        const reply = await lane.ask(questionOf(couponId, userId, change));
        const answer = this.#answerOf(reply);
        return answer === 'nothing' ? null : { change, answer };
      });
      history.phases.push((await Promise.all(sending)).filter((sent) => sent !== null));
    }
    if (history.phases.flat().every(({ answer }) => answer !== null)) history.endMs = Date.now();
  }

  /** Null: it may have been done. `nothing`: it was not, whatever the issue is. */
  #answerOf(reply: Reply): string | null {
    if (reply.kind === 'not sent') return 'nothing';
    if (reply.kind !== 'answer' || reply.status === 503) return null;
    if (reply.status === 200) return 'done';
    const { code } = JSON.parse(reply.body) as { readonly code: string };
    const answer = answers[code];
    if (answer === undefined) this.wrongAnswers.push(`a change: ${reply.status} ${reply.body}`);
    return answer ?? null;
  }
}

const answers: Readonly<Record<string, string>> = {
  ISSUE_ALREADY_USED: 'already used',
  ISSUE_NOT_USED: 'not used',
  ISSUE_REVOKED: 'revoked',
  // Of a MySQL that went back, until the row is written again.
  ISSUE_NOT_EXIST: 'nothing',
};

function questionOf(couponId: number, userId: string, name: Change): Question {
  const change = changes[name];
  const path = `/v1/coupons/${couponId}/issues/${userId}`;
  const headers = { authorization: `Bearer ${ADMIN_KEY}` };
  const reference = 'reference' in change && change.reference !== null ? { reference: change.reference } : {};
  if (change.kind === 'use') return { method: 'POST', path: `${path}/use`, headers, body: reference };
  if (change.kind === 'revoke')
    return { method: 'POST', path: `${path}/revoke`, headers, body: { reason: change.reason } };
  const query = new URLSearchParams(reference).toString();
  return { method: 'DELETE', path: `${path}/use?${query}`, headers };
}

/** What is wrong: an issue whose answers and row no order of the changes explains. What began before `fromMs` may be lost. */
export async function wrongChanges(
  { database }: Pick<Cluster, 'database'>,
  { histories, wrongAnswers }: Changers,
  fromMs: number,
): Promise<string[]> {
  const wrong = [...wrongAnswers];
  for (const { couponId, userId, phases, end } of await changedIssues(database, histories, fromMs))
    if (!isExplained('issued', phases, end))
      wrong.push(`coupon ${couponId}, ${userId}: ${JSON.stringify(phases)} cannot end as ${end}`);
  return wrong;
}

/** An issue that was changed, and how its row is in the end. */
export interface ChangedIssue extends IssueHistory {
  readonly sequence: number;
  readonly end: State;
}

/** The issues of histories that began after `fromMs`, as far as they have rows. */
export async function changedIssues(
  database: Cluster['database'],
  histories: readonly IssueHistory[],
  fromMs: number,
): Promise<ChangedIssue[]> {
  const kept = histories.filter(({ startMs }) => startMs > fromMs);
  const found: ChangedIssue[] = [];
  for (const [couponId, of] of Map.groupBy(kept, (history) => history.couponId)) {
    const users = of.map(({ userId }) => userId);
    const rows = await withConnection(database, (session) =>
      session
        .select()
        .from(couponIssues)
        .where(and(eq(couponIssues.couponId, couponId), inArray(couponIssues.userId, users))),
    );
    const rowOf = new Map(rows.map((row) => [row.userId, row]));
    for (const history of of) {
      const row = rowOf.get(history.userId);
      if (row) found.push({ ...history, sequence: row.sequence, end: stateOf(row) });
    }
  }
  return found;
}
