// statistics.ts -- Medians and quantiles. What is not there is null, never zero.

/** The middle value, or the mean of the two in the middle; null of none. */
export function median(values: readonly number[]): number | null {
  return quantile(values, 0.5);
}

/** The value below which a share of the values lies, between neighbours in proportion; null of none. */
export function quantile(values: readonly number[], share: number): number | null {
  const sorted = values.toSorted((a, b) => a - b);
  const place = share * (sorted.length - 1);
  const below = sorted[Math.floor(place)];
  const above = sorted[Math.ceil(place)];
  return below === undefined || above === undefined ? null : below + (above - below) * (place - Math.floor(place));
}

/**
 * The quantile of a histogram's growth, within its bucket in proportion, as Prometheus does it.
 *
 * @param before upper bound → observations up to it; `after` the same, later
 * @returns in the unit of the bounds; null when nothing was observed; the last finite bound when it lies beyond that
 */
export function histogramQuantile(
  before: ReadonlyMap<number, number>,
  after: ReadonlyMap<number, number>,
  share: number,
): number | null {
  const grown = [...after]
    .map(([bound, count]) => ({ bound, count: count - (before.get(bound) ?? 0) }))
    .sort((a, b) => a.bound - b.bound);
  const total = grown.at(-1)?.count ?? 0;
  if (total === 0) return null;
  const rank = share * total;
  let lower = { bound: 0, count: 0 };
  for (const bucket of grown) {
    if (bucket.bound === Number.POSITIVE_INFINITY) break;
    if (bucket.count >= rank) {
      const within = bucket.count === lower.count ? 1 : (rank - lower.count) / (bucket.count - lower.count);
      return lower.bound + (bucket.bound - lower.bound) * within;
    }
    lower = bucket;
  }
  return lower.bound;
}
