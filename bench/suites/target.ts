// What a suite sends its load to; one that TARGET names is looked at before anything is sent.

import { BenchError } from '../bench-error.ts';

export interface Target {
  /** Without a slash at the end. */
  readonly url: string;
  /** The environment, with ADMIN_API_KEY, DATABASE_URL and REDIS_URL of this target. */
  readonly environment: Readonly<Record<string, string | undefined>>;
}

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The target that TARGET names, or null when it names none.
 *
 * @param issues whether the run creates a coupon: it then needs the operators' key, and the stores for its verification
 * @throws BenchError when it is not reachable, not ready, or rejects the operators' key
 */
export async function givenTarget(environment: Environment, issues: boolean): Promise<Target | null> {
  const given = environment['TARGET']?.trim() ?? '';
  if (given === '') return null;
  const url = given.replace(/\/+$/, '');
  if (!/^https?:\/\/[^/]/.test(url) || !URL.canParse(url)) {
    throw new BenchError('TARGET is not a URL: expected one such as http://localhost:3000');
  }
  const needed = issues ? ['ADMIN_API_KEY', 'DATABASE_URL', 'REDIS_URL'] : [];
  const missing = needed.filter((name) => (environment[name] ?? '') === '');
  if (missing.length > 0) {
    throw new BenchError(
      `${missing.join(', ')} not set: with TARGET they say how to make a coupon and where to verify it`,
    );
  }
  const readiness = await ask(`${url}/readyz`, {});
  if (!readiness.ok) throw new BenchError(`TARGET is not ready: ${url}/readyz answers ${await answerLine(readiness)}`);
  if (issues) await checkOperator(url, environment['ADMIN_API_KEY'] ?? '');
  return { url, environment };
}

async function checkOperator(url: string, adminApiKey: string): Promise<void> {
  const coupons = `${url}/v1/coupons`;
  const answer = await ask(`${coupons}?limit=1`, { authorization: `Bearer ${adminApiKey}` });
  if (answer.ok) return;
  throw new BenchError(`a coupon cannot be created: ${coupons} answers ${await answerLine(answer)}; see ADMIN_API_KEY`);
}

async function ask(url: string, headers: Record<string, string>): Promise<Response> {
  try {
    return await fetch(url, { headers, signal: AbortSignal.timeout(5_000) });
  } catch (error) {
    const reason = error instanceof Error ? error.message.replace(/\s+/g, ' ') : String(error);
    throw new BenchError(`TARGET cannot be reached: ${url}: ${reason}`, { cause: error });
  }
}

async function answerLine(response: Response): Promise<string> {
  return `${response.status} ${(await response.text()).replace(/\s+/g, ' ').slice(0, 300)}`.trimEnd();
}
