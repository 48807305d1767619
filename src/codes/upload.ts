// upload.ts -- The codes of an upload, read piece by piece from CSV or JSON: no more than a piece and a line is ever held.

/** Codes in one upload. */
export const UPLOAD_CODES_MAX = 1_000_000;
/** A million of the longest codes, with quotes and line ends. */
export const UPLOAD_BYTES_MAX = 80_000_000;
/** What is longer is no code, and is cut. */
const TEXT_LENGTH_MAX = 1000;

/** What an uploaded code looks like: nothing of it needs escaping in a path, in SQL or in CSV. */
export const UPLOADED_CODE = '^[A-Za-z0-9][A-Za-z0-9._~-]{5,63}$';
export const UPLOADED_CODE_TEXT = '6 to 64 letters, digits, and - . _ ~, of which the first is a letter or digit';
const uploadedExpression = new RegExp(UPLOADED_CODE);

/** One code of an upload. */
export interface Uploaded {
  /** The line of a CSV, or the number of the element in a JSON array, from 1. */
  readonly line: number;
  /** Null: none. */
  readonly code: string | null;
}

/** The upload as a whole cannot be read. */
export class UploadFault extends Error {
  override readonly name = 'UploadFault';
  readonly kind: 'malformed' | 'too large';

  constructor(kind: UploadFault['kind'], message: string) {
    super(message);
    this.kind = kind;
  }
}

export type UploadFormat = 'csv' | 'json';

/**
 * The codes in order, in pages of any size.
 *
 * @throws UploadFault, also when the stream breaks
 */
export async function* readUpload(
  pieces: AsyncIterable<Uint8Array>,
  format: UploadFormat,
): AsyncGenerator<readonly Uploaded[]> {
  // It also takes away a byte order mark.
  const decoder = new TextDecoder('utf-8', { fatal: true });
  const read = format === 'csv' ? csvReader() : jsonReader();
  let bytes = 0;
  let codes = 0;
  const readOn = (piece?: Uint8Array) => {
    const found = read(decode(decoder, piece), piece === undefined);
    codes += found.length;
    if (codes > UPLOAD_CODES_MAX)
      throw new UploadFault('too large', `The upload has more than ${UPLOAD_CODES_MAX} codes.`);
    return found;
  };
  try {
    for await (const piece of pieces) {
      bytes += piece.byteLength;
      if (bytes > UPLOAD_BYTES_MAX)
        throw new UploadFault('too large', `The body is larger than ${UPLOAD_BYTES_MAX} bytes.`);
      yield readOn(piece);
    }
    yield readOn();
  } catch (error) {
    // The connection broke. Most likely nobody reads the answer.
    throw error instanceof UploadFault ? error : new UploadFault('malformed', 'The body could not be read completely.');
  }
}

function decode(decoder: TextDecoder, piece: Uint8Array | undefined): string {
  try {
    return piece ? decoder.decode(piece, { stream: true }) : decoder.decode();
  } catch {
    throw new UploadFault('malformed', 'The body is not valid UTF-8.');
  }
}

/** Reads the next part of a text. The last part is empty. */
type Reader = (text: string, isLast: boolean) => readonly Uploaded[];

/** A code a line. Empty lines are passed over, and so is a first line that says `code`. */
function csvReader(): Reader {
  let rest = '';
  let line = 0;
  let isHead = true;
  return (text, isLast) => {
    const lines = `${rest}${text}`.split('\n');
    rest = isLast ? '' : (lines.pop() ?? '').slice(0, TEXT_LENGTH_MAX);
    const found: Uploaded[] = [];
    for (const one of lines) {
      line += 1;
      const field = unquoted(one.trim());
      if (field === '') continue;
      if (!isHead || field.toLowerCase() !== 'code') found.push(uploaded(line, field));
      isHead = false;
    }
    return found;
  };
}

function unquoted(field: string): string {
  return field.length > 1 && field.startsWith('"') && field.endsWith('"') ? field.slice(1, -1).trim() : field;
}

/** A string; a number, `true` or the like, once it is seen where it ends; or a sign. */
const token = /\s*(?:"((?:[^"\\]|\\[^])*)"|([^\s"[\]{},]+)(?=[^])|([[\],]))/y;

/** An array of strings. */
function jsonReader(): Reader {
  let rest = '';
  let line = 0;
  let before: '' | '[' | ',' | 'element' | ']' = '';
  return (text, isLast) => {
    const found: Uploaded[] = [];
    // So that a value at the end is seen to end.
    rest = `${rest}${text}${isLast ? ' ' : ''}`;
    token.lastIndex = 0;
    for (let at = 0; ; at = token.lastIndex) {
      const [, quoted, bare, sign] = token.exec(rest) ?? [];
      if (sign === undefined && quoted === undefined && bare === undefined) {
        rest = rest.slice(at).trimStart();
        break;
      }
      const next = sign === '[' || sign === ',' || sign === ']' ? sign : 'element';
      if (!mayFollow[before].some((one) => one === next)) throw notAnArray();
      before = next;
      if (next === 'element') found.push(uploaded((line += 1), quoted === undefined ? '' : unescaped(quoted)));
    }
    if (rest.length > TEXT_LENGTH_MAX || (isLast && (rest !== '' || before !== ']'))) throw notAnArray();
    return found;
  };
}

const mayFollow = {
  '': ['['],
  '[': ['element', ']'],
  ',': ['element'],
  element: [',', ']'],
  ']': [],
} as const;

function notAnArray(): UploadFault {
  return new UploadFault('malformed', 'The body is not a JSON array of strings.');
}

function unescaped(quoted: string): string {
  try {
    return JSON.parse(`"${quoted}"`) as string;
  } catch {
    throw notAnArray();
  }
}

function uploaded(line: number, text: string): Uploaded {
  return { line, code: isUploadedCode(text) ? text : null };
}

/** Whether a code can have been uploaded. */
export function isUploadedCode(text: string): boolean {
  return uploadedExpression.test(text);
}
