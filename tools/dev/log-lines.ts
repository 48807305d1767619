// log-lines.ts -- The JSON lines of API and worker as people read them: a request in one short line, anything else as a sentence.

import { paint } from '../progress.ts';

type Fields = Readonly<Record<string, unknown>>;

/** The line of the request log that this is; null for any other text. */
export function requestOf(line: string): Fields | null {
  const fields = fieldsOf(line);
  return fields?.['msg'] === 'request' ? fields : null;
}

/** `202 POST /v2/issue-async  coupon 7  3.1 ms  batch of 12`; undefined for what is no route, such as a file of a page. */
export function requestLine({ endpoint, couponId, status, code, ms, batchUsers }: Fields): string | undefined {
  if (typeof endpoint !== 'string') return undefined;
  const [method = '', pattern = ''] = endpoint.split(' ');
  const path = pattern.replace(':couponId', String(couponId));
  const parts = [
    `${paint(styleOf(Number(status)), String(status))} ${method.padEnd(5)} ${path}`,
    ...(couponId === undefined || pattern.includes(':couponId') ? [] : [`coupon ${Number(couponId)}`]),
    ...(typeof code === 'string' ? [code] : []),
    paint('dim', `${Number(ms)} ms`),
    ...(typeof batchUsers === 'number' ? [paint('dim', `batch of ${batchUsers}`)] : []),
  ];
  return parts.join('  ');
}

/** Any other line: its message, then what it says beside it. Text that is no line of our log stays as it is. */
export function readableLine(line: string): string {
  const fields = fieldsOf(line);
  if (fields === null) return line;
  const { level, time: _, name: _name, pid: _pid, hostname: _host, msg, error, ...others } = fields;
  const [word, style] = severityOf(Number(level));
  const details = Object.entries({ ...others, ...causeOf(error) }).map(([key, value]) => `${key}=${textOf(value)}`);
  const head = word === '' ? '' : `${paint(style, word)} `;
  return `${head}${String(msg)}${details.length === 0 ? '' : paint('dim', `  ${details.join(' ')}`)}`;
}

function fieldsOf(line: string): Fields | null {
  if (!line.startsWith('{')) return null;
  try {
    const fields = JSON.parse(line) as Fields;
    return typeof fields['level'] === 'number' && typeof fields['msg'] === 'string' ? fields : null;
  } catch {
    return null;
  }
}

function styleOf(status: number) {
  return status >= 500 ? 'red' : status >= 400 ? 'yellow' : 'green';
}

/** By pino's numbers. */
function severityOf(level: number) {
  if (level >= 50) return ['ERROR', 'red'] as const;
  return level >= 40 ? (['warning', 'yellow'] as const) : (['', 'dim'] as const);
}

/** A stack would fill the screen: the messages, down to the cause. */
function causeOf(error: unknown): Fields {
  const messages: string[] = [];
  for (let at = error; typeof at === 'object' && at !== null; at = (at as Fields)['cause']) {
    const { name, message, code, number } = at as Fields;
    messages.push(
      [name, message ?? code ?? number]
        .filter((part) => part !== undefined && part !== null)
        .map(textOf)
        .join(': '),
    );
  }
  return messages.length === 0 ? {} : { error: messages.join(', caused by ') };
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** So many lines of requests are shown in a second; of the others their number, so that a rush does not bury everything else. */
const LINES_A_SECOND = 15;
/** What monitors and open pages ask all the time. */
const QUIET = ['GET /livez', 'GET /readyz', 'GET /metrics', 'GET /v1/load', 'GET /v1/key'];

/** Shows requests through `show`, and those of a rush as one line a second. */
export class RequestLines {
  readonly #show: (text: string) => void;
  #shown = 0;
  readonly #others = new Map<string, number>();

  constructor(show: (text: string) => void) {
    this.#show = show;
  }

  add(request: Fields): void {
    const { endpoint, status, code } = request;
    const line = requestLine(request);
    if (line === undefined || (QUIET.includes(String(endpoint)) && Number(status) < 400)) return;
    if (this.#shown === 0) setTimeout(() => this.#endSecond(), 1_000);
    this.#shown += 1;
    if (this.#shown <= LINES_A_SECOND) return this.#show(line);
    const kind = typeof code === 'string' ? `${Number(status)} ${code}` : String(status);
    this.#others.set(kind, (this.#others.get(kind) ?? 0) + 1);
  }

  #endSecond(): void {
    this.#shown = 0;
    if (this.#others.size === 0) return;
    const counts = [...this.#others].map(([kind, count]) => `${count.toLocaleString('en')} × ${kind}`);
    this.#others.clear();
    this.#show(paint('dim', `and in this second ${counts.join(', ')}`));
  }
}
