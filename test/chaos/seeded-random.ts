// seeded-random.ts -- Random numbers that a seed reproduces: the same seed gives the same faults in the same order.

export interface SeededRandom {
  /** A whole number from `least` to `most`, both included. */
  between(least: number, most: number): number;
  /** True with this probability. */
  chance(probability: number): boolean;
  /** One of the items, of which there must be at least one. */
  pick<Item>(items: readonly Item[]): Item;
  shuffle<Item>(items: readonly Item[]): Item[];
}

/** @param seed a whole number from 0 to 4294967295 */
export function seededRandom(seed: number): SeededRandom {
  let state = seed >>> 0;
  // Mulberry32 (Tommy Ettinger): 32 bits of state are plenty for choosing what to break next.
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const between = (least: number, most: number): number => least + Math.floor(next() * (most - least + 1));
  return {
    between,
    chance: (probability) => next() < probability,
    pick(items) {
      const item = items[between(0, items.length - 1)];
      if (item === undefined) throw new Error('there is nothing to pick from');
      return item;
    },
    shuffle(items) {
      const shuffled = [...items];
      for (let last = shuffled.length - 1; last > 0; last--) {
        const [item] = shuffled.splice(between(0, last), 1);
        if (item !== undefined) shuffled.push(item);
      }
      return shuffled;
    },
  };
}
