// asking.ts -- The press and its result: retried until it is known, the same in all tabs of the user, and gone on with when the network is back.

import { signal } from '@preact/signals';
import { createCouponClient, type IssueResult, type IssueState } from '../../client/coupon-client.ts';
import { type Identity, readIdentities, remember, STORED_USER } from './identity.ts';
import { read } from './live.ts';
import { couponId } from './page-data.ts';
import { hasRequested, noteRequest } from './requested.ts';

const identities = readIdentities();
export const identity = signal(identities.current);
export const offered = signal(identities.offered);
export const sending = signal<'no' | 'first attempt' | 'retry'>('no');
export const result = signal<IssueResult | null>(null);
/** The issue as the server has it, with the instants of its use; null while it is not read. */
export const issue = signal<IssueState | null>(null);

// It retries what is idempotent, and its results are confirmed.
const client = createCouponClient({ url: location.origin, token: () => identity.value.token });
const requestNow = () => ({ couponId, userId: identity.value.userId });

/** What a tab has learned for all tabs of its user. */
interface Learned {
  readonly couponId: number;
  readonly userId: string;
  readonly sequence: number;
}
const tabs = typeof BroadcastChannel === 'undefined' ? null : new BroadcastChannel('drop-results');

/** Shows what a returning user has, and what another tab of the user gets. */
export function startAsking(): void {
  if (tabs) {
    tabs.onmessage = ({ data }: MessageEvent<Learned>) => {
      if (data.couponId !== couponId || data.userId !== identity.value.userId) return;
      if (sending.value === 'no') result.value = { kind: 'already issued', sequence: data.sequence };
    };
  }
  addEventListener('storage', ({ key, newValue }) => {
    if (key === STORED_USER && newValue !== null && newValue !== identity.value.userId)
      take({ userId: newValue, token: null });
  });
  document.addEventListener('visibilitychange', () => {
    if (!document.hidden && result.value === null) void recall();
  });
  addEventListener('online', () => {
    // The user has pressed, and does not know what came of it.
    if (result.value?.kind === 'ambiguous') void get();
    else void recall();
  });
  void recall();
}

/** Answers the question of a link that names another user. */
export function become(chosen: Identity): void {
  offered.value = null;
  if (chosen !== identity.value) take(remember(chosen));
}

function take(chosen: Identity): void {
  identity.value = chosen;
  result.value = null;
  issue.value = null;
  void recall();
}

async function recall(): Promise<void> {
  const request = requestNow();
  if (!hasRequested(request)) return;
  const status = await client.status(request);
  if (request.userId !== identity.value.userId) return;
  if (status.kind !== 'done' || status.value.sequence === null || status.value.status === 'REVOKED') return;
  issue.value = status.value;
  if (sending.value !== 'no' || (result.value && 'sequence' in result.value)) return;
  result.value = { kind: 'already issued', sequence: status.value.sequence };
}

export async function get(): Promise<void> {
  if (sending.value !== 'no') return;
  const request = requestNow();
  const afterAmbiguous = result.value?.kind === 'ambiguous';
  sending.value = 'first attempt';
  noteRequest(request);
  const got = await client.issue(request, {
    afterAmbiguous,
    onRetry: () => {
      sending.value = 'retry';
    },
  });
  sending.value = 'no';
  if (request.userId !== identity.value.userId) return;
  result.value = got;
  if ('sequence' in got) {
    tabs?.postMessage({ ...request, sequence: got.sequence } satisfies Learned);
    // For the exact end of its use, which can wait until the rush is over.
    setTimeout(() => void recall(), 5000 + 10_000 * Math.random());
  }
  // What this page knows of the period is out of date.
  if (got.kind === 'not open') await read();
}
