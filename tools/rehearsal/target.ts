// target.ts -- What is rehearsed on: the running `bun run dev`, or the system that API_URL names; with its clock and its calls.

import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';

/** Why it cannot be rehearsed, in a line for people. */
export class RehearsalError extends Error {
  override readonly name = 'RehearsalError';
}

export type Json = Readonly<Record<string, unknown>>;

export interface Answer {
  /** 0: none came. */
  readonly status: number;
  readonly body: Json;
}

export interface Target {
  readonly apiUrl: string;
  /** The clock of the system, as well as it can be known from here. */
  nowMs(): number;
  /** Never rejects: what broke is an answer with status 0. */
  send(method: 'GET' | 'POST', path: string, body?: object): Promise<Answer>;
  /** Its id. */
  createCoupon(pieces: number, startMs: number): Promise<number>;
}

const devFile = resolve(import.meta.dirname, '../../.local/dev.json');
const ANSWER_MS_MAX = 10_000;
const HOUR_MS = 3_600_000;

/** @throws RehearsalError when nothing answers there */
export async function findTarget(): Promise<Target> {
  const { apiUrl, key } = addressOf(process.env);
  const send: Target['send'] = async (method, path, body) => {
    try {
      const response = await fetch(`${apiUrl}${path}`, {
        method,
        // An operator may issue for every user, so this works with AUTH=on too.
        headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
        body: body === undefined ? null : JSON.stringify(body),
        signal: AbortSignal.timeout(ANSWER_MS_MAX),
      });
      return { status: response.status, body: (await response.json()) as Json };
    } catch {
      return { status: 0, body: {} };
    }
  };
  const createCoupon = async (pieces: number, startMs: number): Promise<number> => {
    const { status, body } = await send('POST', '/v1/coupons', {
      title: 'Rehearsal',
      totalQuantity: pieces,
      discountAmount: 1_000,
      minAvailableAmount: 10_000,
      listed: true,
      dateIssueStart: new Date(startMs).toISOString(),
      dateIssueEnd: new Date(startMs + HOUR_MS).toISOString(),
    });
    if (status === 201) return Number(body['id']);
    throw new RehearsalError(
      status === 0
        ? `Nothing answers at ${apiUrl}.`
        : `${apiUrl} does not make a coupon (${status}): ${String(body['detail'])}`,
    );
  };
  const offsetMs = await clockOffset(apiUrl);
  return { apiUrl, nowMs: () => Date.now() + offsetMs, send, createCoupon };
}

function addressOf({ API_URL: url, ADMIN_API_KEY: key }: NodeJS.ProcessEnv): { apiUrl: string; key: string } {
  if (url) return { apiUrl: url.replace(/\/+$/, ''), key: key ?? '' };
  const dev = existsSync(devFile) ? (JSON.parse(readFileSync(devFile, 'utf8')) as Json) : null;
  if (dev) return { apiUrl: String(dev['apiUrl']), key: String(dev['adminApiKey']) };
  throw new RehearsalError(
    'No `bun run dev` runs here: start it in another terminal, or set API_URL and ADMIN_API_KEY.',
  );
}

/** How far the clock there is ahead of ours. A machine elsewhere says it to the second, in the middle of which it then is. */
async function clockOffset(apiUrl: string): Promise<number> {
  const { hostname } = new URL(apiUrl);
  if (['localhost', '127.0.0.1', '[::1]'].includes(hostname)) return 0;
  try {
    const { headers } = await fetch(`${apiUrl}/livez`, { signal: AbortSignal.timeout(ANSWER_MS_MAX) });
    return Date.parse(headers.get('date') ?? '') + 500 - Date.now() || 0;
  } catch {
    throw new RehearsalError(`Nothing answers at ${apiUrl}.`);
  }
}
