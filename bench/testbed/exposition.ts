// exposition.ts -- Reads the metrics of our processes, and what changed between two readings.

/** One line of the exposition text. */
interface Sample {
  readonly name: string;
  readonly labels: ReadonlyMap<string, string>;
  readonly value: number;
}

export type Exposition = readonly Sample[];

/** Asks a process. @throws Error when it does not answer */
export async function scrape(url: string): Promise<Exposition> {
  const response = await fetch(`${url}/metrics`, { signal: AbortSignal.timeout(10_000) });
  if (!response.ok) throw new Error(`${url}/metrics answered ${response.status}`);
  return readExposition(await response.text());
}

/** Reads the text format. */
export function readExposition(text: string): Exposition {
  return [...text.matchAll(/^(\w+)(?:\{(.*)\})? (\S+)$/gm)].map(([, name = '', labels = '', reading = '']) => ({
    name,
    labels: new Map([...labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, key = '', value = '']) => [key, value])),
    value: reading === '+Inf' ? Number.POSITIVE_INFINITY : Number(reading),
  }));
}

/** The sum of a metric over all its labels. */
export function totalOf(exposition: Exposition, name: string): number {
  return exposition.filter((sample) => sample.name === name).reduce((sum, { value }) => sum + value, 0);
}

/** A counter by one of its labels. */
export function countsBy(exposition: Exposition, name: string, label: string): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const { value, labels } of exposition.filter((sample) => sample.name === name)) {
    const key = labels.get(label) ?? '';
    counts.set(key, (counts.get(key) ?? 0) + value);
  }
  return counts;
}

/** What a counter grew by, label by label; labels that did not grow are left out. */
export function growthOf(
  before: ReadonlyMap<string, number>,
  after: ReadonlyMap<string, number>,
): Record<string, number> {
  const grown = [...after].map(([key, value]) => [key, value - (before.get(key) ?? 0)] as const);
  return Object.fromEntries(grown.filter(([, growth]) => growth !== 0));
}

/** The buckets of a histogram: upper bound → observations up to it. */
export function bucketsOf(exposition: Exposition, name: string): ReadonlyMap<number, number> {
  const counts = countsBy(exposition, `${name}_bucket`, 'le');
  return new Map(
    [...counts].map(([bound, count]) => [bound === '+Inf' ? Number.POSITIVE_INFINITY : Number(bound), count]),
  );
}
