// cases.ts -- The cases that are compared: the ceilings, our three endpoints, refusals, and the ordinary way of each.

import { baselineKeys } from '../baselines/baseline.ts';
import { ask, makeCoupon } from '../testbed/coupons.ts';
import type { Service } from '../testbed/own-process.ts';
import type { Testbed } from '../testbed/testbed.ts';
import { issuerSettings, tokenOf, userOf, writeTokens } from '../testbed/users.ts';
import type { Load } from '../testbed/wrk.ts';
import type { Group } from './figures.ts';

/** The names of all cases. */
export const caseNames = [
  'echo',
  'idle',
  'hello',
  'scripted',
  'scripted sold out',
  'scripted duplicate',
  'scripted with tokens and limits',
  'locked',
  'locked sold out',
  'locked duplicate',
  'synchronous',
  'synchronous sold out',
  'synchronous duplicate',
  'row lock',
  'lock',
  'script',
] as const;
export type CaseName = (typeof caseNames)[number];

/** A round's preparation. */
export interface Prepared {
  /** One for each process that answers. */
  readonly loads: readonly Pick<Load, 'script' | 'args' | 'url'>[];
  /** The coupons whose rows are to be checked afterwards, and how many issues they had before. */
  readonly coupons: { readonly first: number; readonly count: number; readonly issuedBefore: number } | null;
  /** Ends what the round alone needed. */
  finish(): Promise<void>;
}

export interface Case {
  readonly name: CaseName;
  readonly title: string;
  readonly group: Group;
  /** The processes that answer: one, unless it is about their number. */
  readonly services: readonly Service[];
  /** The only outcome that our API may give; null for a service that does not count outcomes: then every answer must be 2xx. */
  readonly outcome: 'issued' | 'already issued' | 'sold out' | null;
  /** What is accepted is written later. */
  readonly later: 'by our worker' | 'a row a message' | null;
  /** @param seconds how long the load will be, for what has to be made ahead */
  prepare(seconds: number): Promise<Prepared>;
}

/** Users that repeat their requests when duplicates are measured. */
const OWNERS = 2000;

const endpoints = [
  { name: 'scripted', path: '/v2/issue-async', title: 'POST /v2/issue-async' },
  { name: 'locked', path: '/v1/issue-async', title: 'POST /v1/issue-async' },
  { name: 'synchronous', path: '/v1/issue', title: 'POST /v1/issue' },
] as const;

/** All cases, in the order of a round: the ceiling beside what is measured against it. Starts the baselines. */
export async function allCases(testbed: Testbed): Promise<readonly Case[]> {
  const ceilings = await ceilingsOf(testbed);
  const ours = endpoints.flatMap((endpoint) => [
    issuingCase(testbed, endpoint),
    soldOutCase(testbed, endpoint),
    duplicateCase(testbed, endpoint),
  ]);
  return [...ceilings, ...ours, await guardedCase(testbed), ...(await ordinaryCases(testbed))];
}

type Endpoint = (typeof endpoints)[number];

async function ceilingsOf(testbed: Testbed): Promise<Case[]> {
  const echo = await testbed.start('echo', 'bench/baselines/echo.ts');
  const idle = await testbed.start('idle', 'bench/baselines/idle.ts');
  const none = { group: 'ceiling', outcome: null, later: null } as const;
  const finish = async () => {};
  return [
    {
      ...none,
      name: 'echo',
      title: 'echo: only validates and answers',
      services: [echo],
      prepare: async () => ({
        loads: [{ url: `${echo.url}/echo`, script: 'issue', args: [1, 1, 0] }],
        coupons: null,
        finish,
      }),
    },
    {
      ...none,
      name: 'idle',
      title: 'POST /v2/issue-async, nothing decided',
      services: [idle],
      prepare: async () => ({
        loads: [{ url: `${idle.url}/v2/issue-async`, script: 'issue', args: [1, 1, 0] }],
        coupons: null,
        finish,
      }),
    },
    {
      ...none,
      name: 'hello',
      title: 'GET /hello',
      services: [testbed.api],
      prepare: async () => ({
        loads: [{ url: `${testbed.api.url}/hello`, script: 'hello', args: [] }],
        coupons: null,
        finish,
      }),
    },
  ];
}

/** A coupon that does not run out, new in each round, so that no round inherits the owners of another. */
function issuingCase(testbed: Testbed, { name, path, title }: Endpoint): Case {
  return ourCase(testbed, { name, path, title, outcome: 'issued' }, async (url) => {
    const couponId = await makeCoupon(testbed, null);
    // Opens its stock, which the first request of a drop does once.
    await ask(url, couponId, 'opener');
    return { couponId, issuedBefore: 1, cycle: 0 };
  });
}

function soldOutCase(testbed: Testbed, { name, path, title }: Endpoint): Case {
  const about = { name: `${name} sold out` as const, path, title: `${title}, sold out`, outcome: 'sold out' } as const;
  return ourCase(testbed, about, async (url) => {
    const couponId = await makeCoupon(testbed, 1);
    await ask(url, couponId, 'winner');
    // The first refusal fills the refusal cache, which answers all others.
    await ask(url, couponId, 'loser');
    return { couponId, issuedBefore: 1, cycle: 0 };
  });
}

function duplicateCase(testbed: Testbed, { name, path, title }: Endpoint): Case {
  const about = {
    name: `${name} duplicate` as const,
    path,
    title: `${title}, duplicate request`,
    outcome: 'already issued',
  } as const;
  return ourCase(testbed, about, async (url) => {
    const couponId = await makeCoupon(testbed, null);
    for (let i = 0; i < OWNERS; i += 100) {
      await Promise.all(Array.from({ length: 100 }, (_, k) => ask(url, couponId, userOf(i + k))));
    }
    return { couponId, issuedBefore: OWNERS, cycle: OWNERS };
  });
}

/** As `scripted`, but every user shows a token that this API has not seen before, and is counted. */
async function guardedCase(testbed: Testbed): Promise<Case> {
  const settings = { ...issuerSettings, USER_REQUESTS_MAX: '10' };
  const api = await testbed.start('guarded', 'src/server.ts', { settings });
  return {
    name: 'scripted with tokens and limits',
    title: 'POST /v2/issue-async, tokens and limits',
    group: 'system',
    services: [api],
    outcome: 'issued',
    later: 'by our worker',
    async prepare(seconds) {
      const url = `${api.url}/v2/issue-async`;
      const tokens = writeTokens(Array.from({ length: TOKENS_PER_S * seconds }, (_, place) => String(userOf(place))));
      const couponId = await makeCoupon(testbed, null);
      await ask(url, couponId, 'opener', tokenOf('opener'));
      return {
        loads: [{ url, script: 'guarded', args: [couponId, tokens.file] }],
        coupons: { first: couponId, count: 1, issuedBefore: 1 },
        finish: async () => tokens.remove(),
      };
    },
  };
}

/** More than any machine so far could use; the round fails when they do not suffice. */
const TOKENS_PER_S = 60_000;

function ourCase(
  testbed: Testbed,
  { path, ...about }: Pick<Case, 'name' | 'title'> & { path: string; outcome: NonNullable<Case['outcome']> },
  prepare: (url: string) => Promise<{ couponId: number; issuedBefore: number; cycle: number }>,
): Case {
  return {
    ...about,
    group: 'system',
    get services() {
      return [testbed.api];
    },
    later: 'by our worker',
    async prepare() {
      const url = `${testbed.api.url}${path}`;
      const { couponId, issuedBefore, cycle } = await prepare(url);
      return {
        loads: [{ url, script: 'issue', args: [couponId, 1, cycle] }],
        coupons: { first: couponId, count: 1, issuedBefore },
        finish: async () => {},
      };
    },
  };
}

async function ordinaryCases(testbed: Testbed): Promise<Case[]> {
  const about = [
    { name: 'row lock', path: 'row-lock', title: 'a row lock a request', later: null },
    { name: 'lock', path: 'lock', title: 'a lock a request, a row a message', later: 'a row a message' },
    { name: 'script', path: 'script', title: 'a script a request, a row a message', later: 'a row a message' },
  ] as const;
  return Promise.all(
    about.map(async ({ name, path, title, later }): Promise<Case> => {
      const service = await testbed.start(path, `bench/baselines/${path}.ts`);
      return {
        name,
        title,
        group: 'ordinary',
        services: [service],
        outcome: null,
        later,
        prepare: async () => ordinaryRound(testbed, `${service.url}/${path}`),
      };
    }),
  );
}

async function ordinaryRound(testbed: Testbed, url: string): Promise<Prepared> {
  const couponId = await makeCoupon(testbed, null);
  return {
    loads: [{ url, script: 'issue', args: [couponId, 1, 0] }],
    coupons: { first: couponId, count: 1, issuedBefore: 0 },
    async finish() {
      await testbed.redis.unlink(Object.values(baselineKeys(couponId)));
    },
  };
}
