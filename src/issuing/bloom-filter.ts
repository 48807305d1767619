// bloom-filter.ts -- Remembers the owners of a sold-out coupon, in two to four bytes each: "surely not" or "perhaps".
//
// A Bloom filter (Bloom, CACM 13:7, 1970) with 16 to 32 bits and 6 hashes an owner says "perhaps" of 1 in 1,000 others or
// fewer, who then cost a round trip to Redis. It never says "surely not" of an owner.

const BITS_PER_OWNER = 16;
const HASHES = 6;
/** Smallest number of bits, so that a coupon of one piece has a filter that works. */
const BITS_MIN = 1024;

export class BloomFilter {
  readonly #words: Uint32Array;
  readonly #mask: number;

  /** @param owners how many will be added */
  constructor(owners: number) {
    const bits = 2 ** Math.ceil(Math.log2(Math.max(BITS_MIN, owners * BITS_PER_OWNER)));
    this.#words = new Uint32Array(bits / 32);
    this.#mask = bits - 1;
  }

  add(userId: string): void {
    const [first, step] = hashes(userId);
    for (let i = 0; i < HASHES; i++) {
      const bit = (first + Math.imul(i, step)) & this.#mask;
      this.#words[bit >>> 5] = (this.#words[bit >>> 5] ?? 0) | (1 << (bit & 31));
    }
  }

  /** False: surely not an owner. */
  mayHave(userId: string): boolean {
    const [first, step] = hashes(userId);
    for (let i = 0; i < HASHES; i++) {
      const bit = (first + Math.imul(i, step)) & this.#mask;
      if (((this.#words[bit >>> 5] ?? 0) & (1 << (bit & 31))) === 0) return false;
    }
    return true;
  }
}

/**
 * Two 32-bit hashes from one pass; the rest follow from them (Kirsch and Mitzenmacher, 2006). FNV-1a, with the finisher of
 * MurmurHash3, since ids that differ in their last digit must not fall beside one another.
 */
function hashes(text: string): [number, number] {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return [mix(hash), mix(hash ^ 0x9e3779b9) | 1];
}

function mix(value: number): number {
  let mixed = value;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return mixed ^ (mixed >>> 16);
}
