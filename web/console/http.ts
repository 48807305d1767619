// http.ts -- Asks the API once: JSON both ways, problem documents as one kind of error, a bound on the wait, and the server's clock.
//
// Once, and not until the ending is known as the client does: an operator sees what happened, and decides what is asked again.

/** The API refused or failed, and said why. */
export class ApiFault extends Error {
  override readonly name = 'ApiFault';
  readonly status: number;
  /** The stable code of the problem document; `UNREACHABLE` when there was no answer. */
  readonly code: string;
  readonly problem: Problem;

  constructor(status: number, problem: Problem) {
    super(problem.detail ?? problem.title ?? problem.code);
    this.status = status;
    this.code = problem.code;
    this.problem = problem;
  }
}

/** The members of a problem document that pages use. */
export interface Problem {
  readonly code: string;
  readonly title?: string;
  readonly detail?: string;
  readonly sequence?: number;
  readonly faults?: readonly { readonly pointer: string; readonly expected: string }[];
}

export interface Ask {
  readonly method?: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  readonly body?: unknown;
  /** Bearer credentials, if there are any. */
  readonly key?: string | null;
  readonly headers?: Readonly<Record<string, string>>;
  readonly waitMsMax?: number;
}

/** An answer, with what pages need of its headers. */
export interface Answered<Body> {
  readonly body: Body;
  /** By the clock of the server, to the second; null when it did not say. */
  readonly serverMs: number | null;
}

const WAIT_MS_MAX = 10_000;

/**
 * Asks once.
 *
 * @throws ApiFault for every answer that is not 2xx, and with the code `UNREACHABLE` when there is none in time
 */
export async function ask<Body>(path: string, options: Ask = {}): Promise<Answered<Body>> {
  const { method = 'GET', body, key, headers = {}, waitMsMax = WAIT_MS_MAX } = options;
  let answer: Response;
  let text: string;
  try {
    answer = await fetch(path, {
      method,
      headers: {
        accept: 'application/json',
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...(key && { authorization: `Bearer ${key}` }),
        ...headers,
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      cache: 'no-store',
      signal: AbortSignal.timeout(waitMsMax),
    });
    text = await answer.text();
  } catch (cause) {
    throw new ApiFault(0, { code: 'UNREACHABLE', detail: cause instanceof Error ? cause.message : String(cause) });
  }
  if (!answer.ok) throw new ApiFault(answer.status, readProblem(text));
  const date = Date.parse(answer.headers.get('date') ?? '');
  return { body: (text === '' ? null : JSON.parse(text)) as Body, serverMs: Number.isNaN(date) ? null : date };
}

/** Proxies answer in their own words. */
function readProblem(text: string): Problem {
  try {
    const found = JSON.parse(text) as Partial<Problem> | null;
    return { ...found, code: found?.code ?? 'INTERNAL' };
  } catch {
    return { code: 'INTERNAL' };
  }
}
