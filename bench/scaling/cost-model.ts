// cost-model.ts -- What a rate takes in cores: CPU of each process as a line in requests and in the batches that carry them, fitted to
// measured points and checked against points that were not used.

/** The processes of an installation, by their kind. */
export const kinds = ['API', 'Redis', 'worker', 'MySQL'] as const;
export type Kind = (typeof kinds)[number];

/** CPU per second of each kind, in cores. */
export type Cores = Readonly<Record<Kind, number>>;

/** What was measured at one load. Rates are per second. */
export interface Point {
  /** API processes that answered. */
  readonly processes: number;
  readonly load: 'sold out' | 'accepted';
  readonly requests: number;
  /** Decisions of the API in Redis. */
  readonly batches: number;
  /** Of the worker in MySQL. */
  readonly transactions: number;
  readonly cores: Cores;
}

/** Cores = `each` × units of work + `bundle` × the batches, or transactions, that bundle them. */
interface Line {
  readonly each: number;
  readonly bundle: number;
}

export interface CostModel {
  /** Without load, of one process each. */
  readonly idle: Cores;
  /** The API for a request that finds a coupon sold out, in core seconds. */
  readonly soldOut: number;
  /** For an accepted issue. */
  readonly accepted: Readonly<Record<Kind, Line>>;
}

/** What a kind of process bundles work by. */
const bundlesOf = (kind: Kind, { batches, transactions }: Pick<Point, 'batches' | 'transactions'>): number =>
  kind === 'API' || kind === 'Redis' ? batches : transactions;

/** @param idle CPU of one process of each kind that has nothing to do */
export function fitCostModel(points: readonly Point[], idle: Cores): CostModel {
  const above = (kind: Kind, { processes, cores }: Point) =>
    cores[kind] - idle[kind] * (kind === 'API' ? processes : 1);
  const samples = (load: Point['load'], kind: Kind) =>
    points
      .filter((point) => point.load === load)
      .map((point) => ({ units: point.requests, bundles: bundlesOf(kind, point), cores: above(kind, point) }));
  const accepted = Object.fromEntries(kinds.map((kind) => [kind, fitLine(samples('accepted', kind))]));
  const soldOut = fitOne(samples('sold out', 'API').map(({ units, cores }) => [units, cores]));
  return { idle, soldOut, accepted: accepted as Record<Kind, Line> };
}

/** By least squares of relative errors, so that slow points count as much as fast ones. No coefficient is below zero. */
function fitLine(
  samples: readonly { readonly units: number; readonly bundles: number; readonly cores: number }[],
): Line {
  let [uu, ub, bb, uc, bc] = [0, 0, 0, 0, 0];
  for (const { units, bundles, cores } of samples) {
    const weight = 1 / cores ** 2;
    uu += weight * units * units;
    ub += weight * units * bundles;
    bb += weight * bundles * bundles;
    uc += weight * units * cores;
    bc += weight * bundles * cores;
  }
  const determinant = uu * bb - ub * ub;
  const each = (uc * bb - bc * ub) / determinant;
  const bundle = (bc * uu - uc * ub) / determinant;
  if (each >= 0 && bundle >= 0) return { each, bundle };
  return each < 0 ? { each: 0, bundle: bc / bb } : { each: uc / uu, bundle: 0 };
}

function fitOne(samples: readonly (readonly [units: number, cores: number])[]): number {
  const weighted = samples.map(([units, cores]) => units / cores);
  return weighted.reduce((sum, each) => sum + each, 0) / weighted.reduce((sum, each) => sum + each ** 2, 0);
}

/** What the model says for the load of a point. */
export function predict({ idle, soldOut, accepted }: CostModel, point: Omit<Point, 'cores'>): Cores {
  const costs = kinds.map((kind) => {
    const base = idle[kind] * (kind === 'API' ? point.processes : 1);
    if (point.load === 'sold out') return [kind, base + (kind === 'API' ? soldOut * point.requests : 0)];
    const { each, bundle } = accepted[kind];
    return [kind, base + each * point.requests + bundle * bundlesOf(kind, point)];
  });
  return Object.fromEntries(costs) as Record<Kind, number>;
}

/** How a process works at the utilisation it is meant to have: measured, and assumed to be the same with more of them. */
export interface OperatingPoint {
  /** Batches per second of one API process. */
  readonly batchesPerProcess: number;
  readonly rowsPerTransaction: number;
  /** Share of a core that a process is meant to use. */
  readonly utilisation: number;
}

/** An installation for a rate. */
export interface Sizing {
  readonly processes: number;
  readonly cores: Cores;
}

/** API processes, and cores of each kind, for so many requests per second. */
export function sizeFor(model: CostModel, load: Point['load'], requests: number, operating: OperatingPoint): Sizing {
  const { idle, soldOut, accepted } = model;
  const { batchesPerProcess, rowsPerTransaction, utilisation } = operating;
  // What a process has left for requests, since its batches cost the same however many users are in them.
  const left = utilisation - idle.API - (load === 'accepted' ? accepted.API.bundle * batchesPerProcess : 0);
  const processes = Math.ceil((requests * (load === 'accepted' ? accepted.API.each : soldOut)) / left);
  const transactions = requests / rowsPerTransaction;
  return {
    processes,
    cores: predict(model, { processes, load, requests, batches: processes * batchesPerProcess, transactions }),
  };
}

/** The most that one coupon can accept per second: all its decisions are on one thread of one Redis. */
export function mostOfOneCoupon(model: CostModel, operating: OperatingPoint): number {
  const { API, Redis } = model.accepted;
  const { batchesPerProcess, utilisation } = operating;
  const left = utilisation - model.idle.API - API.bundle * batchesPerProcess;
  const batchesPerRequest = (batchesPerProcess * API.each) / left;
  return (utilisation - model.idle.Redis) / (Redis.each + Redis.bundle * batchesPerRequest);
}
