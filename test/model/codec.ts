// codec.ts -- A state as a string of bytes and back, by a template; and the one of all equivalent states that stands for them.

type Plain = number | readonly Plain[] | { readonly [name: string]: Plain };

/** Turns states of one shape into bytes. Every number must be from 0 to 255. */
export interface Codec<State> {
  readonly size: number;
  /** Where each number stands, as `users[0].row`. */
  readonly paths: readonly string[];
  encode(state: State, into: Uint8Array, at: number): void;
  decode(from: Uint8Array, at: number): State;
}

/** Compiles a codec for the shape of `template`: straight-line code, since a search runs it some hundred million times. */
export function createCodec<State extends object>(template: State): Codec<State> {
  const paths: string[] = [];
  const build = (value: Plain, path: string): string => {
    if (typeof value === 'number') {
      paths.push(path);
      return `b[o + ${paths.length - 1}]`;
    }
    if (Array.isArray(value)) return `[${value.map((item: Plain, i) => build(item, `${path}[${i}]`)).join(',')}]`;
    const members = Object.entries(value).map(([name, item]) => `${name}: ${build(item, `${path}.${name}`)}`);
    return `{${members.join(',')}}`;
  };
  const read = build(template as unknown as Plain, 's');
  const writes = paths.map((path, i) => `b[o + ${i}] = ${path};`);
  return {
    size: paths.length,
    paths: paths.map((path) => path.slice('s.'.length)),
    // oxlint-disable-next-line typescript/no-implied-eval -- compiled from our own template, of numbers and names alone
    encode: new Function('s', 'b', 'o', writes.join('\n')) as Codec<State>['encode'],
    // oxlint-disable-next-line typescript/no-implied-eval -- as above
    decode: new Function('b', 'o', `return ${read};`) as Codec<State>['decode'],
  };
}

/**
 * Makes what puts an encoded state into the one order that stands for all states that differ only in who is who: users by what is
 * known of them, then two openers by where they stand.
 */
export function createCanonical({ paths }: Pick<Codec<never>, 'paths'>): (bytes: Uint8Array) => void {
  const countOf = (prefix: string) => paths.filter((path) => path.startsWith(prefix)).length;
  const userSize = countOf('users[0].');
  const users = countOf('users[') / userSize;
  const openerAt = paths.indexOf('openers[0].at');
  const openerSize = countOf('openers[0].');
  const hasTwo = paths.includes('openers[1].at');
  const loadedAt = paths.indexOf('users[0].loaded[0]');
  const leaseAt = paths.indexOf('redis.opening');
  return (bytes) => {
    sortBlocks(bytes, 0, userSize, users);
    if (!hasTwo || !sortBlocks(bytes, openerAt, openerSize, 2)) return;
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

/** FNV-1a over bytes, as two halves of 32 bits: 2^-64 a pair, so that ten million states collide with a chance of 3 in a million. */
export function hashOf(bytes: Uint8Array, from: number, to: number): readonly [high: number, low: number] {
  let high = 0x811c9dc5;
  let low = 0x9e3779b9;
  for (let i = from; i < to; i += 1) {
    const byte = bytes[i] ?? 0;
    high = Math.imul(high ^ byte, 0x01000193);
    low = Math.imul(low ^ byte, 0x85ebca6b) ^ (low >>> 13);
  }
  high ^= high >>> 15;
  low ^= low >>> 16;
  return [high >>> 0, Math.imul(low, 0xc2b2ae35) >>> 0];
}
