// pattern.ts -- Generated codes: the code of a sequence by a keyed permutation, and back. No two are alike, none can be guessed from others.
//
// A pattern such as `SUMMER-####-####` is a beginning of letters and digits, and placeholders. All placeholders but the last hold the
// sequence, permuted by a Feistel network over the two halves of its digits, as FF1 of NIST SP 800-38G, with HMAC-SHA-256 as round
// function and a key that the coupon has for itself. So no table of codes is needed.
//
// The last character is a check character: with it, the sum of all characters, each times a power of 3, is 0 modulo 31, as in the pure
// systems of ISO/IEC 7064. 31 is a prime, so that any single wrong character changes the sum, and so does any exchange of neighbours.
// The beginning counts too: it may not become that of another coupon by a typing error.

import { createHmac } from 'node:crypto';
import { ID_MAX } from '../coupon/coupon.ts';

/** Digits of codes: 31, without characters that look alike. */
const ALPHABET = '23456789ABCDEFGHJKMNPQRSTUVWXYZ';
const RADIX = ALPHABET.length;
/** In the beginning of a pattern these are allowed, with the values of the first digits. */
const LOOK_ALIKES = '01ILO';
const WEIGHT = 3;

const PLACEHOLDERS_MIN = 6;
const PLACEHOLDERS_MAX = 16;
const ROUNDS = 10;

/** How many codes there are at least for each piece: so often is a code guessed in vain. */
const CODES_PER_PIECE_MIN = 10_000;
/** Pieces that a coupon without limit counts as. */
const UNLIMITED_PIECES = 100_000_000;

/** A beginning of letters and digits, then placeholders; hyphens anywhere between. */
export const CODE_PATTERN = '^[A-Z0-9][A-Z0-9-]{0,15}#[#-]{4,30}#$';
const patternExpression = new RegExp(CODE_PATTERN);

/** A pattern, taken apart. */
export interface Pattern {
  readonly text: string;
  /** The beginning, without hyphens. */
  readonly beginning: string;
  /** The beginning, with each look-alike as the digit of its value: no two patterns of one length may begin the same. */
  readonly prefix: string;
  /** Characters of a code, without hyphens. */
  readonly length: number;
}

/** Takes a pattern apart; null if it is none. */
export function parsePattern(text: string): Pattern | null {
  if (!patternExpression.test(text)) return null;
  const plain = text.replaceAll('-', '');
  const beginning = plain.slice(0, plain.indexOf('#'));
  const placeholders = plain.length - beginning.length;
  if (placeholders < PLACEHOLDERS_MIN || placeholders > PLACEHOLDERS_MAX) return null;
  return { text, beginning, prefix: prefixOf(beginning), length: plain.length };
}

/** Whether a pattern has enough codes for so many pieces that they cannot be guessed; null: without limit. */
export function holdsPieces(pattern: Pattern, total: number | null): boolean {
  return RADIX ** digitsOf(pattern) >= CODES_PER_PIECE_MIN * (total ?? UNLIMITED_PIECES);
}

/** The code of a sequence; null beyond the last one. */
export function codeAt(pattern: Pattern, key: string, sequence: number): string | null {
  const digits = digitsOf(pattern);
  if (sequence < 1 || sequence > RADIX ** digits) return null;
  const high = Math.ceil(digits / 2);
  const halves = permute(key, digits, Math.floor((sequence - 1) / RADIX ** high), (sequence - 1) % RADIX ** high);
  const [left, right] = [textOf(halves[0], digits - high), textOf(halves[1], high)];
  const open = `${pattern.beginning}${left}${right}`;
  const filled = `${left}${right}${ALPHABET[(RADIX - sumOf(`${open}2`)) % RADIX]}`;
  let at = 0;
  return pattern.text.replaceAll('#', () => filled[at++] ?? '');
}

/** The sequence of a code that `readTyped` has read; null if it is none of this pattern, or of no sequence. */
export function sequenceOf(pattern: Pattern, key: string, code: string): number | null {
  const { beginning, length } = pattern;
  if (code.length !== length || !code.startsWith(beginning)) return null;
  const digits = digitsOf(pattern);
  const low = digits - Math.ceil(digits / 2);
  const drawn = code.slice(beginning.length);
  if (drawn.split('').some((character) => !ALPHABET.includes(character))) return null;
  const [left, right] = [valueOf(drawn.slice(0, low)), valueOf(drawn.slice(low, digits))];
  const [high, rest] = invert(key, digits, left, right);
  const sequence = high * RADIX ** (digits - low) + rest + 1;
  return sequence <= ID_MAX ? sequence : null;
}

/**
 * A code as somebody typed it, without hyphens and blanks, and in upper case; null if it cannot be a generated one, since a character
 * is wrong or two are exchanged.
 */
export function readTyped(text: string): string | null {
  const code = text.toUpperCase().replaceAll(/[ -]/g, '');
  // Letters of other scripts may have an upper case among these.
  if (!/^[ -~]{1,64}$/.test(text) || !/^[A-Z0-9]{7,32}$/.test(code)) return null;
  return sumOf(code) === 0 ? code : null;
}

/** The prefixes of all patterns that a code may be of. */
export function prefixesOf(code: string): readonly string[] {
  const folded = prefixOf(code);
  return Array.from({ length: folded.length - PLACEHOLDERS_MIN }, (_, i) => folded.slice(0, i + 1));
}

function digitsOf({ beginning, length }: Pattern): number {
  return length - beginning.length - 1;
}

function prefixOf(beginning: string): string {
  return beginning
    .split('')
    .map((character) => ALPHABET[residueOf(character)])
    .join('');
}

function residueOf(character: string): number {
  return `${ALPHABET}${LOOK_ALIKES}`.indexOf(character) % RADIX;
}

/** The last character has the weight 1. */
function sumOf(code: string): number {
  return code.split('').reduce((sum, character) => (sum * WEIGHT + residueOf(character)) % RADIX, 0);
}

function textOf(value: number, digits: number): string {
  return Array.from({ length: digits }, (_, i) => ALPHABET[Math.floor(value / RADIX ** (digits - 1 - i)) % RADIX]).join(
    '',
  );
}

function valueOf(text: string): number {
  return text.split('').reduce((value, character) => value * RADIX + ALPHABET.indexOf(character), 0);
}

/** The halves have `digits / 2` digits, the first one rounded down; each round adds to one of them what follows from the other. */
function permute(key: string, digits: number, left: number, right: number): readonly [number, number] {
  let [a, b] = [left, right];
  for (let round = 0; round < ROUNDS; round += 1) {
    const size = sizeOf(digits, round);
    [a, b] = [b, (a + drawnOf(key, digits, round, b, size)) % size];
  }
  return [a, b];
}

function invert(key: string, digits: number, left: number, right: number): readonly [number, number] {
  let [a, b] = [left, right];
  for (let round = ROUNDS - 1; round >= 0; round -= 1) {
    const size = sizeOf(digits, round);
    [a, b] = [(b - drawnOf(key, digits, round, a, size) + size) % size, a];
  }
  return [a, b];
}

/** How many values the half has that a round changes. */
function sizeOf(digits: number, round: number): number {
  return RADIX ** (round % 2 === 0 ? Math.floor(digits / 2) : Math.ceil(digits / 2));
}

function drawnOf(key: string, digits: number, round: number, half: number, size: number): number {
  const bytes = createHmac('sha256', key).update(`${digits} ${round} ${half}`).digest();
  // 128 bits: what is left over when they are divided by 31^8 favours no value that could be noticed.
  const drawn = (bytes.readBigUInt64BE(0) << 64n) | bytes.readBigUInt64BE(8);
  return Number(drawn % BigInt(size));
}
