// codec.ts -- A state as bytes and back, two numbers in a byte; and the one of all equivalent states that stands for them.

type Plain = number | readonly Plain[] | { readonly [name: string]: Plain };

/** The largest number that a state may have anywhere. */
const NUMBER_MAX = 15;

/** Turns states of one shape into bytes. Every number must be from 0 to `NUMBER_MAX`. */
export interface Codec<State> {
  /** Numbers in a state. */
  readonly size: number;
  /** Bytes of a packed state: a multiple of four. */
  readonly packedSize: number;
  /** Where each number stands, as `users[0].row`. */
  readonly paths: readonly string[];
  /** Writes each number into a byte of its own. */
  encode(state: State, into: Uint8Array): void;
  decode(packed: Uint8Array, at: number): State;
}

/** Compiles a codec for the shape of `template`: straight-line code, since a search runs it some hundred million times. */
export function createCodec<State extends object>(template: State): Codec<State> {
  const paths: string[] = [];
  const build = (value: Plain, path: string): string => {
    if (typeof value === 'number') {
      const at = paths.push(path) - 1;
      return at % 2 === 0 ? `b[o + ${at >> 1}] & 15` : `b[o + ${at >> 1}] >> 4`;
    }
    if (Array.isArray(value)) return `[${value.map((item: Plain, i) => build(item, `${path}[${i}]`)).join(',')}]`;
    const members = Object.entries(value).map(([name, item]) => `${name}: ${build(item, `${path}.${name}`)}`);
    return `{${members.join(',')}}`;
  };
  const read = build(template as unknown as Plain, 's');
  const writes = paths.map((path, i) => `m |= b[${i}] = ${path};`);
  const check = `if (m > ${NUMBER_MAX}) throw new RangeError('a number of a state does not fit: ' + JSON.stringify(s));`;
  return {
    size: paths.length,
    packedSize: Math.ceil(paths.length / 8) * 4,
    paths: paths.map((path) => path.slice('s.'.length)),
    // oxlint-disable-next-line typescript/no-implied-eval -- compiled from our own template, of numbers and names alone
    encode: new Function('s', 'b', `let m = 0;\n${writes.join('\n')}\n${check}`) as Codec<State>['encode'],
    // oxlint-disable-next-line typescript/no-implied-eval -- as above
    decode: new Function('b', 'o', `return ${read};`) as Codec<State>['decode'],
  };
}

/** Packs an encoded state, two numbers in a byte. */
export function pack(bytes: Uint8Array, into: Uint8Array): void {
  const { length } = bytes;
  for (let i = 0; i < length; i += 2) into[i >> 1] = (bytes[i] ?? 0) | (i + 1 < length ? (bytes[i + 1] ?? 0) << 4 : 0);
}

/**
 * Makes what puts an encoded state into the one order that stands for all states that differ only in who is who: users by what is
 * known of them, then two openers by where they stand, unless each of them has a place of its own.
 */
export function createCanonical({ paths }: Pick<Codec<never>, 'paths'>): (bytes: Uint8Array) => void {
  const countOf = (prefix: string) => paths.filter((path) => path.startsWith(prefix)).length;
  const userSize = countOf('users[0].');
  const users = countOf('users[') / userSize;
  const openerAt = paths.indexOf('openers[0].at');
  const openerSize = countOf('openers[0].');
  const areAlike = paths.includes('openers[1].at') && !paths.includes('others[0].redis.run');
  const loadedAt = paths.indexOf('users[0].loaded[0]');
  const leaseAt = paths.indexOf('redis.opening');
  return (bytes) => {
    sortBlocks(bytes, 0, userSize, users);
    if (!areAlike || !sortBlocks(bytes, openerAt, openerSize, 2)) return;
    for (let u = 0; u < users; u += 1) swapBlocks(bytes, u * userSize + loadedAt, u * userSize + loadedAt + 1, 1);
    const lease = bytes[leaseAt] ?? 0;
    if (lease > 0) bytes[leaseAt] = 3 - lease;
    sortBlocks(bytes, 0, userSize, users);
  };
}

/** Sorts blocks of equal size, by insertion; returns whether any moved. */
function sortBlocks(bytes: Uint8Array, from: number, size: number, count: number): boolean {
  let hasMoved = false;
  for (let i = 1; i < count; i += 1) {
    for (let at = from + i * size; at > from && isAbove(bytes, at - size, at, size); at -= size) {
      swapBlocks(bytes, at - size, at, size);
      hasMoved = true;
    }
  }
  return hasMoved;
}

function isAbove(bytes: Uint8Array, a: number, b: number, size: number): boolean {
  for (let i = 0; i < size; i += 1) {
    const order = (bytes[a + i] ?? 0) - (bytes[b + i] ?? 0);
    if (order !== 0) return order > 0;
  }
  return false;
}

function swapBlocks(bytes: Uint8Array, a: number, b: number, size: number): void {
  for (let i = 0; i < size; i += 1) {
    const byte = bytes[a + i] ?? 0;
    bytes[a + i] = bytes[b + i] ?? 0;
    bytes[b + i] = byte;
  }
}

const rotate = (word: number, bits: number): number => (word << bits) | (word >>> (32 - bits));

/** One half of a hash: MurmurHash3 over the words of a packed state. */
function halfOf(words: Uint32Array, seed: number, c1: number, c2: number): number {
  let half = seed;
  // By index: an iterator made this a fifth of a search.
  for (let i = 0, { length } = words; i < length; i += 1) {
    half ^= Math.imul(rotate(Math.imul(words[i] ?? 0, c1), 15), c2);
    half = (Math.imul(rotate(half, 13), 5) + 0xe6546b64) | 0;
  }
  half = Math.imul(half ^ (half >>> 16), 0x85ebca6b);
  half = Math.imul(half ^ (half >>> 13), 0xc2b2ae35);
  // 0 stands for no hash.
  return (half ^ (half >>> 16)) | 0 || 1;
}

/** A hash of 64 bits: of ten million states two have the same with a chance of 3 in a million. */
export function hashOf(words: Uint32Array): readonly [high: number, low: number] {
  return [halfOf(words, 0x9747b28c, 0xcc9e2d51, 0x1b873593), halfOf(words, 0x2f0b4a3d, 0x239b961b, 0xab0e9789)];
}
