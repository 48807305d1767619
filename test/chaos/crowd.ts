// crowd.ts -- Many concurrent callers over real HTTP, which keep a history of all their requests and answers.
//
// A caller with an ambiguous result retries later, at any endpoint of any process, until it is known. Coupons come and
// go: limited, unlimited, soon over, not yet open.

import { setTimeout as pause } from 'node:timers/promises';
import type { Attempt, History, HistoryCoupon, HistoryRow, RequestResult } from '../checker.ts';
import { type HistoryFile, nowNs } from '../judge/history-file.ts';
import { ADMIN_KEY } from './cluster.ts';
import { Lane, type Question, type Reply } from './lane.ts';
import type { SeededRandom } from './seeded-random.ts';

export interface CrowdOptions {
  readonly ports: readonly number[];
  readonly callers: number;
  readonly random: SeededRandom;
  /** Requests a second of all callers together, which the crowd does not exceed; unlimited until it is set. */
  ratePerSecond?: number;
  /** For a judge from outside. */
  readonly historyFile?: HistoryFile | undefined;
}

export interface Counts {
  ok: number;
  /** Those of `/v1/issue`, whose rows are in MySQL. */
  written: number;
  duplicate: number;
  refused: number;
  indeterminate: number;
  /** 503 with `Retry-After`, which are indeterminate too. */
  unavailable: number;
  notSent: number;
  unanswered: number;
  timedOut: number;
  cut: number;
  /** Coupons that were archived and brought back. */
  archived: number;
  /** Users who withdrew and were erased. */
  erased: number;
}

/** Every fourth user. Issues of the others are changed meanwhile, see changers.ts. */
export function mayWithdraw(userId: string): boolean {
  return Number(userId.split('-')[1]) % 4 === 0;
}

/** A user who withdraws from a coupon that they have. */
export interface Withdrawn {
  readonly userId: string;
  readonly couponId: number;
  /** The command has ended: nothing of the user is left. */
  isErased: boolean;
}

/** A coupon on offer, and how long it stays there. */
interface Offer {
  readonly coupon: HistoryCoupon;
  readonly users: string[];
  /** Answers after which nothing new is learned from it. */
  refusalsLeft: number;
  usersLeft: number;
}

interface Pending {
  readonly couponId: number;
  readonly userId: string;
  readonly dueMs: number;
}

const paths = ['/v1/issue', '/v1/issue-async', '/v2/issue-async'] as const;

/** Longer than any process waits for a store, so that an answer is not missed by a hair. */
const ANSWER_MS_MAX = 6000;
/** After a refused connection, or a 503: the backoff of a good client, only shorter. */
const BACKOFF_MS = 25;
/** Winners of whom one may withdraw: those of about the last second, whose issues may still be on their way. */
const WINNERS_MAX = 300;
/** How often somebody who was erased asks again. */
const RETURNING = 0.02;

/** `synchronous`: asked for at `/v1/issue` alone, so that its stock stays in MySQL. */
type Kind = 'limited' | 'unlimited' | 'ending' | 'later' | 'synchronous';
const kinds: readonly Kind[] = ['limited', 'limited', 'limited', 'unlimited', 'ending', 'later', 'synchronous'];

export class Crowd {
  readonly attempts: Attempt[] = [];
  readonly coupons: HistoryCoupon[] = [];
  /** Answers that no caller may ever get: a 500, a malformed body, the wrong user. */
  readonly wrongAnswers: string[] = [];
  readonly counts: Counts = {
    ok: 0,
    written: 0,
    duplicate: 0,
    refused: 0,
    indeterminate: 0,
    unavailable: 0,
    notSent: 0,
    unanswered: 0,
    timedOut: 0,
    cut: 0,
    archived: 0,
    erased: 0,
  };
  readonly #options: CrowdOptions;
  readonly #offers = new Map<number, Offer>();
  readonly #pending: Pending[] = [];
  #running: Promise<unknown> | null = null;
  #stopped = false;
  #users = 0;
  #clients = 0;
  #nextTurnMs = 0;
  /** Coupons that are asked for at `/v1/issue` alone. */
  readonly #synchronous = new Set<number>();
  /** Coupons that are being made, and users who are being erased. */
  readonly #changing = new Set<Promise<void>>();
  #changesNone = false;
  readonly #winners: Omit<Pending, 'dueMs'>[] = [];
  readonly #withdrawn = new Map<string, Withdrawn>();
  readonly #restores: { readonly lostIds: ReadonlySet<number>; readonly fromMs: number; readonly toMs: number }[] = [];

  constructor(options: CrowdOptions) {
    this.#options = options;
  }

  /** Creates the first coupons and starts all callers. */
  async start(): Promise<void> {
    const lanes = this.#lanes();
    await Promise.all(kinds.map((kind, slot) => this.#offer(lanes, slot, kind)));
    for (const lane of lanes) lane.close();
    this.#running = Promise.all(Array.from({ length: this.#options.callers }, () => this.#call()));
  }

  /** Lets every caller finish its current request. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }

  /** Runs something while no coupon is made and nobody withdraws. Winners may then read that they have nothing. */
  async withoutChanges(run: () => Promise<void>): Promise<void> {
    this.#changesNone = true;
    await Promise.all(this.#changing);
    await run().finally(() => {
      this.#changesNone = false;
    });
  }

  get withdrawn(): readonly Withdrawn[] {
    return [...this.#withdrawn.values()];
  }

  /** Lets one who has just won withdraw, and goes on asking for them now and then. `erase` ends when nothing of them is left. */
  async withdraw(erase: (userId: string) => Promise<void>): Promise<void> {
    const isLost = (id: number) => this.#restores.some(({ lostIds }) => lostIds.has(id));
    const known = this.#winners.filter(
      ({ userId, couponId }) => mayWithdraw(userId) && !this.#withdrawn.has(userId) && !isLost(couponId),
    );
    if (this.#changesNone || known.length === 0) return;
    const { userId, couponId } = this.#options.random.pick(known);
    const withdrawn: Withdrawn = { userId, couponId, isErased: false };
    this.#withdrawn.set(userId, withdrawn);
    const erasing = erase(userId).then(
      () => {
        withdrawn.isErased = true;
        this.counts.erased += 1;
      },
      (fault: unknown) => void this.wrongAnswers.push(String(fault)),
    );
    this.#changing.add(erasing);
    await erasing;
    this.#changing.delete(erasing);
  }

  /** What was answered from `fromMs` to `toMs` may be gone for the coupons `lostIds`, and is in Redis alone for the others. */
  mysqlWentBack(lostIds: readonly number[], fromMs: number, toMs: number): void {
    this.#restores.push({ lostIds: new Set(lostIds), fromMs, toMs });
  }

  /** Until when MySQL went back, 0 for never: what was written to rows alone before that may be lost. */
  get wentBackMs(): number {
    return Math.max(0, ...this.#restores.map(({ toMs }) => toMs));
  }

  /** Coupons whose rows may be lost so. */
  get lostIds(): ReadonlySet<number> {
    return new Set(this.#restores.flatMap(({ lostIds }) => [...lostIds]));
  }

  /** The history, as far as it proves anything although MySQL went back. */
  history(
    rows: readonly HistoryRow[],
  ): History & { readonly lostIds: ReadonlySet<number>; readonly wentBack: boolean } {
    const lostIds = new Set<number>();
    const attempts = this.attempts.map((attempt): Attempt => {
      const { couponId, invokedMs, endedMs, result } = attempt;
      // The period of a coupon is not lost.
      if (result.kind === 'refused' && result.reason !== 'sold out') return attempt;
      const isLost = this.#restores.some(
        ({ lostIds: ids, fromMs, toMs }) => ids.has(couponId) && endedMs >= fromMs && invokedMs <= toMs,
      );
      if (!isLost) return attempt;
      lostIds.add(couponId);
      return { ...attempt, result: { kind: 'indeterminate' } };
    });
    const wentBack = this.#restores.length > 0;
    return { coupons: this.coupons, attempts, rows: wentBack ? this.#dated(rows) : rows, lostIds, wentBack };
  }

  /** A row that was written again bears the time of that: when it was issued is in no store. The requests show since when it can be. */
  #dated(rows: readonly HistoryRow[]): readonly HistoryRow[] {
    const startMs = new Map(this.coupons.map((coupon) => [coupon.id, coupon.startMs]));
    const askedMs = new Map<string, number>();
    for (const { couponId, userId, invokedMs, result } of this.attempts) {
      const key = `${couponId} ${userId}`;
      if (result.kind === 'ok' || result.kind === 'indeterminate')
        askedMs.set(key, Math.min(invokedMs, askedMs.get(key) ?? invokedMs));
    }
    return rows.map((row) => {
      const earliestMs = Math.max(
        askedMs.get(`${row.couponId} ${row.userId}`) ?? row.issuedMs,
        startMs.get(row.couponId) ?? 0,
      );
      const isRestored = this.#restores.some(({ fromMs, toMs }) => row.issuedMs >= fromMs && earliestMs <= toMs);
      return isRestored ? { ...row, issuedMs: Math.min(row.issuedMs, earliestMs) } : row;
    });
  }

  /** Retries every ambiguous request until its result is known. Call it when the system is healthy again. */
  async settle(waitMsMax: number): Promise<void> {
    const deadlineMs = performance.now() + waitMsMax;
    const asking = Array.from({ length: this.#options.callers }, async () => {
      const lanes = this.#lanes();
      for (let next = this.#pending.pop(); next; next = this.#pending.pop()) {
        if (performance.now() > deadlineMs) throw new Error(`a request still had no answer after ${waitMsMax} ms`);
        await this.#ask(lanes, next.couponId, next.userId);
      }
      for (const lane of lanes) lane.close();
    });
    await Promise.all(asking);
  }

  #lanes(): Lane[] {
    const client = this.#clients++;
    return this.#options.ports.map((port) => new Lane(port, ANSWER_MS_MAX, client));
  }

  async #call(): Promise<void> {
    const lanes = this.#lanes();
    const { random } = this.#options;
    while (!this.#stopped) {
      await this.#turn();
      const due = this.#takeDue();
      const offers = [...this.#offers.entries()];
      const [slot, offer] = random.pick(offers);
      if (!this.#changesNone && (offer.refusalsLeft <= 0 || offer.usersLeft <= 0)) {
        offer.refusalsLeft = Number.POSITIVE_INFINITY;
        offer.usersLeft = Number.POSITIVE_INFINITY;
        const creating = this.#offer(lanes, slot, kinds[slot] ?? 'limited').finally(() =>
          this.#changing.delete(creating),
        );
        this.#changing.add(creating);
        await creating;
      } else if (due) await this.#ask(lanes, due.couponId, due.userId);
      else if (this.#withdrawn.size > 0 && random.chance(RETURNING)) {
        const { couponId, userId } = random.pick(this.withdrawn);
        await this.#ask(lanes, couponId, userId);
      } else {
        const again = offer.users.length > 0 && random.chance(0.1);
        const userId = again ? random.pick(offer.users) : this.#newUser(offer);
        const result = await this.#ask(lanes, offer.coupon.id, userId);
        if (result.kind === 'ok' && random.chance(0.1))
          await this.#askStatus(lanes, offer.coupon, result.sequence, userId);
        if (result.kind === 'refused' && result.reason !== 'not started') offer.refusalsLeft -= 1;
      }
    }
    for (const lane of lanes) lane.close();
  }

  /** Waits until the next request may go out. */
  async #turn(): Promise<void> {
    const { ratePerSecond } = this.#options;
    if (ratePerSecond === undefined) return;
    const nowMs = performance.now();
    this.#nextTurnMs = Math.max(nowMs, this.#nextTurnMs + 1000 / ratePerSecond);
    if (this.#nextTurnMs > nowMs) await pause(this.#nextTurnMs - nowMs);
  }

  #newUser(offer: Offer): string {
    this.#users += 1;
    offer.usersLeft -= 1;
    const userId = `user-${this.#users}`;
    offer.users.push(userId);
    return userId;
  }

  #takeDue(): Pending | null {
    const nowMs = performance.now();
    const at = this.#pending.findIndex(({ dueMs }) => dueMs <= nowMs);
    return at < 0 ? null : (this.#pending.splice(at, 1)[0] ?? null);
  }

  /** Sends one request to any endpoint of any process, and records its result. */
  async #ask(lanes: readonly Lane[], couponId: number, userId: string): Promise<RequestResult> {
    const { random, historyFile } = this.#options;
    const path = this.#synchronous.has(couponId) ? '/v1/issue' : random.pick(paths);
    const lane = random.pick(lanes);
    const [invokedMs, startNs] = [Date.now(), nowNs()];
    const reply = await lane.ask({ method: 'POST', path, body: { couponId, userId } });
    const [endedMs, endNs] = [Date.now(), nowNs()];
    const { client, port } = lane;
    this.#count(reply);
    const result = this.#resultOf(reply, couponId, userId);
    // Owners are told that they have it, and those who are erased are owners no more where a refusal is repeated.
    if (this.#withdrawn.has(userId) && result.kind === 'refused' && result.reason === 'sold out') return result;
    historyFile?.request({ client, port, couponId, userId, endpoint: path, startNs, endNs, reply });
    if (reply.kind !== 'not sent') {
      this.attempts.push({ couponId, userId, invokedMs, endedMs, result });
      this.counts[result.kind] += 1;
      if (result.kind === 'ok' && path === '/v1/issue') this.counts.written += 1;
      if (result.kind === 'ok' && this.#winners.push({ couponId, userId }) > WINNERS_MAX) this.#winners.shift();
    }
    if (result.kind !== 'indeterminate') return result;
    this.#pending.push({ couponId, userId, dueMs: performance.now() + random.between(50, 1500) });
    await pause(BACKOFF_MS);
    return result;
  }

  /** A winner asks any process whether it has the coupon. 503 is a correct answer; `no` is not. */
  async #askStatus(lanes: readonly Lane[], coupon: HistoryCoupon, sequence: number, userId: string): Promise<void> {
    const path = `/v1/coupons/${coupon.id}/issues/${userId}`;
    const mayBeLost = this.#changesNone;
    const reply = await this.#options.random.pick(lanes).ask({ method: 'GET', path });
    if (reply.kind !== 'answer' || reply.status === 503) return;
    if (this.#withdrawn.has(userId) && reply.body.includes('"NONE"')) return;
    // Once a coupon is over it is not opened any more: an issue that still waits in the stream is then seen when it is a row.
    if ((mayBeLost || Date.now() >= coupon.endMs) && reply.body.includes('"NONE"')) return;
    // An operator archives it for a while, see archiving.ts.
    if (Date.now() >= coupon.endMs && reply.body.includes('"ARCHIVED"')) return;
    const isRight = reply.status === 200 && reply.body.includes(`"sequence":${sequence},`);
    if (!isRight) this.wrongAnswers.push(`${userId} won ${sequence}, and its status is ${reply.status} ${reply.body}`);
  }

  #count(reply: Reply): void {
    if (reply.kind === 'not sent') this.counts.notSent += 1;
    if (reply.kind === 'unanswered') this.counts.unanswered += 1;
    if (reply.kind === 'timed out') this.counts.timedOut += 1;
    if (reply.kind === 'cut') this.counts.cut += 1;
    if (reply.kind === 'answer' && reply.status === 503) this.counts.unavailable += 1;
  }

  #resultOf(reply: Reply, couponId: number, userId: string): RequestResult {
    if (reply.kind !== 'answer') return { kind: 'indeterminate' };
    if (reply.status === 503 && !reply.headers.has('retry-after')) this.wrongAnswers.push('503 without Retry-After');
    const result = readResult(reply.status, reply.body, { couponId, userId });
    if (result) return result;
    this.wrongAnswers.push(`${reply.status} ${reply.body}`);
    return { kind: 'indeterminate' };
  }

  /** Puts a new coupon on offer. Asks until it is created; one whose answer was lost is simply never offered. */
  async #offer(lanes: readonly Lane[], slot: number, kind: Kind): Promise<void> {
    const { random } = this.#options;
    while (!this.#stopped) {
      const reply = await random.pick(lanes).ask(creationOf(kind, random));
      const coupon = reply.kind === 'answer' && reply.status === 201 ? readCoupon(reply.body) : null;
      if (coupon) {
        this.coupons.push(coupon);
        if (kind === 'synchronous') this.#synchronous.add(coupon.id);
        this.#options.historyFile?.coupon(coupon);
        this.#offers.set(slot, { coupon, users: [], refusalsLeft: 100, usersLeft: 1000 });
        return;
      }
      await pause(BACKOFF_MS);
    }
  }
}

export function creationOf(kind: Kind, random: SeededRandom): Question {
  const nowMs = Date.now();
  const startMs = nowMs + (kind === 'later' ? random.between(1000, 2500) : -1000);
  const endMs = nowMs + (kind === 'ending' ? random.between(3000, 8000) : 3_600_000);
  const limited = kind === 'limited' || kind === 'later' || kind === 'synchronous';
  const body = {
    title: `A coupon that is ${kind}`,
    totalQuantity: limited ? random.between(20, 600) : null,
    discountAmount: 1000,
    minAvailableAmount: 0,
    dateIssueStart: new Date(startMs).toISOString(),
    dateIssueEnd: new Date(endMs).toISOString(),
  };
  return { method: 'POST', path: '/v1/coupons', headers: { authorization: `Bearer ${ADMIN_KEY}` }, body };
}

export function readCoupon(body: string): HistoryCoupon {
  const { id, totalQuantity, dateIssueStart, dateIssueEnd } = JSON.parse(body) as {
    id: number;
    totalQuantity: number | null;
    dateIssueStart: string;
    dateIssueEnd: string;
  };
  return { id, total: totalQuantity, startMs: Date.parse(dateIssueStart), endMs: Date.parse(dateIssueEnd) };
}

/** What an answer means; null for one that no caller may ever get. */
function readResult(status: number, text: string, asked: { couponId: number; userId: string }): RequestResult | null {
  if (status === 503) return { kind: 'indeterminate' };
  const body = JSON.parse(text) as Partial<Record<'couponId' | 'userId' | 'sequence' | 'code' | 'detail', unknown>>;
  const { sequence, code, detail } = body;
  if (status === 201 || status === 202) {
    const isOurs = body.couponId === asked.couponId && body.userId === asked.userId;
    return isOurs && typeof sequence === 'number' ? { kind: 'ok', sequence } : null;
  }
  if (code === 'DUPLICATED_COUPON_ISSUE' && typeof sequence === 'number') return { kind: 'duplicate', sequence };
  if (code === 'INVALID_COUPON_ISSUE_QUANTITY') return { kind: 'refused', reason: 'sold out' };
  if (code === 'COUPON_NOT_EXIST') return { kind: 'refused', reason: 'not exist' };
  if (code !== 'INVALID_COUPON_ISSUE_DATE' || typeof detail !== 'string') return null;
  const reason = (['paused', 'not started', 'ended'] as const).find((word) => detail.includes(word));
  return reason ? { kind: 'refused', reason } : null;
}
