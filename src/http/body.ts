// body.ts -- A JSON body, read within its limit and checked against its schema. Nothing is coerced, nothing is ignored.
//
// The limit holds before anything is buffered: by `Content-Length` where there is one (the server's parser sees to it that
// no more arrives), else piece by piece.
//
// `text()` and `JSON.parse` rather than `json()`: measured on Bun, it costs the same, and it lets us see bytes that were not UTF-8.

import type { Static, TArray, TObject, TSchema } from '@sinclair/typebox';
import { TypeCompiler } from '@sinclair/typebox/compiler';
import { Value } from '@sinclair/typebox/value';
import { parseExactly } from './exact-json.ts';
import { type Fault, invalid, problem, problemInit, problemText } from './problem.ts';

/**
 * Makes the reader of one kind of body.
 *
 * @param schema an object without additional properties; the `description` of each is what a caller should send
 * @param bytesMax the largest body
 * @returns a function from a request to the value as sent, or to the answer that refuses it: 415, 413, 400 or 422
 */
export function bodyReader<T extends TObject>(
  schema: T,
  bytesMax: number,
): (request: Request) => Promise<Static<T> | Response> | Response {
  const check = TypeCompiler.Compile(schema);
  const read = (text: string | null, request: Request): Static<T> | Response => {
    if (text === null) return tooLarge(bytesMax);
    const value = parse(text);
    if (value instanceof Response) return isEncoded(request) ? encoded() : value;
    return check.Check(value) ? value : invalid(faultsOf(schema, value));
  };
  return (request) => {
    if (!isJson(request.headers.get('content-type'))) return problem('UNSUPPORTED_MEDIA_TYPE');
    const bytes = request.headers.get('content-length');
    if (bytes !== null && Number(bytes) > bytesMax) return tooLarge(bytesMax);
    const text = bytes === null ? limitedText(request, bytesMax) : request.text();
    return text.then((whole) => read(whole, request), broken);
  };
}

/** Whether a request came without a body, whatever type it says. */
export function isBodiless(request: Request): boolean {
  return request.body === null || request.headers.get('content-length') === '0';
}

/** The connection broke or its framing was wrong. Most likely this answer is never read. */
function broken(): Response {
  return problem('MALFORMED_REQUEST', 'The body could not be read completely.');
}

function tooLarge(bytesMax: number): Response {
  return problem('PAYLOAD_TOO_LARGE', `The body is larger than ${bytesMax} bytes.`);
}

/** Looked for only in a body that is no JSON, since hardly any has it. */
function isEncoded(request: Request): boolean {
  const encoding = request.headers.get('content-encoding');
  return encoding !== null && encoding.toLowerCase() !== 'identity';
}

function encoded(): Response {
  const detail = 'The body is compressed, and this server reads none that is.';
  const init = problemInit('UNSUPPORTED_MEDIA_TYPE', { 'accept-encoding': 'identity' });
  return new Response(problemText('UNSUPPORTED_MEDIA_TYPE', detail), init);
}

function isJson(contentType: string | null): boolean {
  if (contentType === 'application/json') return true;
  return contentType !== null && /^application\/json[ \t]*(?:;.*)?$/i.test(contentType);
}

/** The body as text, or null as soon as it is longer than `bytesMax`; no more than that and one piece is ever held. */
async function limitedText(request: Request, bytesMax: number): Promise<string | null> {
  if (request.body === null) return '';
  const decoder = new TextDecoder();
  const pieces = request.body as AsyncIterable<Uint8Array>;
  let text = '';
  let bytes = 0;
  for await (const piece of pieces) {
    bytes += piece.byteLength;
    // Leaving the loop cancels the rest, so that the connection can carry the next request.
    if (bytes > bytesMax) return null;
    text += decoder.decode(piece, { stream: true });
  }
  return text + decoder.decode();
}

function parse(text: string): unknown {
  if (text === '') return problem('MALFORMED_REQUEST', 'The body is empty.');
  // What the decoder puts in place of bytes that are not UTF-8. It can be meant, but then only by mistake.
  if (text.includes('\uFFFD')) return problem('MALFORMED_REQUEST', 'The body is not valid UTF-8.');
  try {
    return parseExactly(text);
  } catch {
    // The parser's message quotes what was sent; deep nesting ends here too.
    return problem('MALFORMED_REQUEST', 'The body is not JSON.');
  }
}

/** Faults of the items of one list; nobody reads more. */
const ITEM_FAULTS_MAX = 10;

/** What is wrong with a member; where it is a list, with which of its items. */
function memberFaults(pointer: string, schema: TSchema, value: unknown): Fault[] {
  if (Value.Check(schema, value)) return [];
  const { items, minItems = 0, maxItems = 0 } = schema as Partial<TArray>;
  const sent: readonly unknown[] = Array.isArray(value) ? value : [];
  const isSized = items && sent.length >= minItems && sent.length <= maxItems;
  const wrong = isSized ? [...sent.keys()].filter((i) => !Value.Check(items, sent[i])) : [];
  if (wrong.length === 0) return [{ in: 'body', pointer, expected: schema.description ?? 'another value' }];
  const expected = items?.description ?? 'another value';
  return wrong.slice(0, ITEM_FAULTS_MAX).map((i) => ({ in: 'body', pointer: `${pointer}/${i}`, expected }));
}

/** What is wrong with `value`. Names of unknown members are not repeated: they are the caller's text. */
function faultsOf(schema: TObject, value: unknown): readonly Fault[] {
  const names = Object.keys(schema.properties);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return [{ in: 'body', pointer: '', expected: `an object with ${names.join(', ')}` }];
  }
  const members = new Map<string, unknown>(Object.entries(value));
  const faults = Object.entries(schema.properties).flatMap(([name, member]): Fault[] => {
    if (!members.has(name) && !schema.required?.includes(name)) return [];
    return memberFaults(`/${name}`, member, members.get(name));
  });
  const unknown = [...members.keys()].some((name) => !names.includes(name));
  if (unknown) faults.push({ in: 'body', pointer: '', expected: `no members but ${names.join(', ')}` });
  return faults;
}
