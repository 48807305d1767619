// A k6 script in one call: its options, its setup, the request of each iteration, its verification, and its summary.
import exec from 'k6/execution';
import http from 'k6/http';
import type { Options } from 'k6/options';
import { countAnswer, countGreeting } from './answers.ts';
import { checkPromises } from './audit.ts';
import { createCoupon, refuseUnhealthy } from './coupon.ts';
import { optionsFor, readSettings } from './scenarios.ts';
import { type SummaryData, summaryFiles } from './summary.ts';

/** An endpoint, and how it says that it has issued. */
export interface Endpoint {
  readonly path: string;
  readonly success: 201 | 202;
}

export const synchronous: Endpoint = { path: '/v1/issue', success: 201 };
export const locked: Endpoint = { path: '/v1/issue-async', success: 202 };
export const scripted: Endpoint = { path: '/v2/issue-async', success: 202 };

interface SetupData {
  readonly couponId: number;
}

/** What a script exports. */
export interface Script {
  readonly options: Options;
  setup(): SetupData | null;
  iterate(data: SetupData | null): void;
  /** Verifies what the run left behind. */
  teardown(data: SetupData | null): void;
  summarize(data: SummaryData): Record<string, string>;
}

/** One request in ten repeats a recent user: impatient users are part of every rush. */
const REPEAT_EVERY = 10;
const REPEAT_AFTER = 5;

const settings = readSettings(__ENV);
const target = __ENV['TARGET'] ?? 'http://localhost:3000';
const adminApiKey = __ENV['ADMIN_API_KEY'] ?? '';
/** What stands before each user's number, such as `auth0|`. Without it the ids are numbers. */
const userIdPrefix = __ENV['USER_ID_PREFIX'] ?? '';
const summarize = (data: SummaryData): Record<string, string> => summaryFiles(data, __ENV['RECORD']);

/** A script that issues one coupon through `endpoints`, each in turn. */
export function issueScript(endpoints: readonly [Endpoint, ...Endpoint[]]): Script {
  // 409 is a right answer: k6's own count of failures is of the others alone.
  http.setResponseCallback(http.expectedStatuses(200, 201, 202, 409));
  const parameters = { headers: { 'Content-Type': 'application/json' }, timeout: '10s' };
  return {
    options: optionsFor(settings, true),
    setup() {
      refuseUnhealthy(target);
      const title = `k6 ${settings.scenario}`;
      return { couponId: createCoupon(target, adminApiKey, settings.stock, title) };
    },
    iterate(data) {
      const turn = exec.scenario.iterationInTest;
      const { path, success } = endpoints[turn % endpoints.length] ?? endpoints[0];
      const user = 1 + (turn % REPEAT_EVERY === REPEAT_EVERY - 1 ? turn - REPEAT_AFTER : turn);
      const userId = userIdPrefix === '' ? user : `${userIdPrefix}${user}`;
      const body = JSON.stringify({ couponId: data?.couponId, userId });
      countAnswer(http.post(`${target}${path}`, body, parameters), userId, success, settings.stock !== null);
    },
    teardown(data) {
      if (data === null) return;
      checkPromises({ target, adminApiKey, couponId: data.couponId, runsOut: settings.stock !== null });
    },
    summarize,
  };
}

/** The baseline: `GET /hello`, which touches no store and leaves nothing to verify. */
export function helloScript(): Omit<Script, 'teardown'> {
  return {
    options: optionsFor(settings, false),
    setup() {
      refuseUnhealthy(target);
      return null;
    },
    iterate: () => countGreeting(http.get(`${target}/hello`, { timeout: '10s' })),
    summarize,
  };
}
