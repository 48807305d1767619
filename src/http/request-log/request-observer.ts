// request-observer.ts -- Observes requests from their arrival to their answer, if that is asked for: a log line, a span, `Server-Timing`.
//
// With all three off, a request costs one look at `isOn`.

import { inSpan, isTracing, parentOf, SpanKind } from '../../telemetry/tracing.ts';
import { PROBLEM_TYPE } from '../problem.ts';
import { idsOf } from './request-ids.ts';
import { keepNote, type RequestNote, stopKeeping } from './request-notes.ts';

type Answer = Response | Promise<Response>;

export interface RequestObserverOptions {
  /** Of REQUEST_LOG. */
  readonly mode: string;
  /** Whether answers have `Server-Timing`. */
  readonly isTimed: boolean;
  /** What a line may hold of a user; null: nothing. */
  readonly hashUser: ((userId: string) => string) | null;
  readonly write: (line: object) => void;
}

export class RequestObserver {
  readonly #options: RequestObserverOptions;
  #mode = 'off';
  #isOn = false;

  constructor(options: RequestObserverOptions) {
    this.#options = options;
    this.setMode(options.mode);
  }

  get isOn(): boolean {
    return this.#isOn;
  }

  /** @param mode a value of REQUEST_LOG, in effect from the next request on */
  setMode(mode: string): void {
    this.#mode = mode;
    this.#isOn = mode !== 'off' || this.#options.isTimed || isTracing;
    if (!this.#isOn) stopKeeping();
  }

  /** Answers a request by `handle`. */
  observe(request: Request, handle: () => Answer): Answer {
    const startMs = performance.now();
    const observed = (note: RequestNote) => {
      keepNote(request, note);
      const answer = handle();
      const end = (one: Response) => this.#end(request, note, one, performance.now() - startMs);
      return answer instanceof Promise ? answer.then(end) : end(answer);
    };
    if (!isTracing) return observed({});
    const options = () => ({ kind: SpanKind.SERVER, attributes: { 'http.request.method': request.method } });
    return inSpan(request.method, options, parentOf(request.headers), async (span) => {
      const note: RequestNote = { spanContext: span?.spanContext() };
      const answer = await observed(note);
      const { endpoint, couponId } = note;
      if (endpoint !== undefined) span?.updateName(endpoint);
      span?.setAttributes({
        'http.response.status_code': answer.status,
        'coupon.request_id': idsOf(request).requestId,
        ...(couponId !== undefined && { 'coupon.id': couponId }),
      });
      return answer;
    });
  }

  #end(request: Request, note: RequestNote, answer: Response, ms: number): Response {
    if (this.#options.isTimed) answer.headers.set('server-timing', timing(note, ms));
    if (this.#isLogged(answer.status)) this.#log(request, note, answer, ms);
    return answer;
  }

  #isLogged(status: number): boolean {
    if (this.#mode === 'on') return true;
    // Not those of which a rush has millions: sold out, already issued, too many requests.
    if (this.#mode === 'errors') return status >= 400 && status !== 409 && status !== 429;
    return this.#mode !== 'off' && Math.random() < Number(this.#mode.slice('sampled:'.length));
  }

  #log(
    request: Request,
    { endpoint, couponId, userId, batchUsers, waitMs }: RequestNote,
    answer: Response,
    ms: number,
  ) {
    const { hashUser, write } = this.#options;
    const user = userId !== undefined && hashUser ? hashUser(userId) : undefined;
    const { status } = answer;
    const line = {
      ...idsOf(request),
      endpoint,
      couponId,
      status,
      ms: tenths(ms),
      batchUsers,
      waitMs: tenths(waitMs),
      user,
    };
    if (answer.headers.get('content-type') !== PROBLEM_TYPE) return write(line);
    void answer
      .clone()
      .text()
      .then((text) => write({ ...line, code: /"code":"([A-Z_]+)"/.exec(text)?.[1] }));
  }
}

/** How long the whole took; of a request that was combined also how long it waited for its decision, and how long that took. */
function timing({ waitMs, decisionMs }: RequestNote, ms: number): string {
  const parts = { total: ms, wait: waitMs, decision: decisionMs };
  return Object.entries(parts)
    .flatMap(([name, partMs]) => (partMs === undefined ? [] : [`${name};dur=${tenths(partMs)}`]))
    .join(', ');
}

function tenths(ms: number | undefined): number | undefined {
  return ms === undefined ? undefined : Math.round(ms * 10) / 10;
}
