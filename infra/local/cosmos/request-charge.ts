/**
 * Request units by the published model (Cosmos DB docs, "Understand request unit consumption"): points of the
 * documented tables, straight lines between them.
 */
type Point = readonly [bytes: number, requestUnits: number];

const KIB = 1024;
const POINT_READ: readonly Point[] = [
  [KIB, 1],
  [4 * KIB, 1.14],
  [16 * KIB, 1.67],
  [64 * KIB, 4.76],
  [100 * KIB, 10],
  [1024 * KIB, 146],
];
const WRITE: readonly Point[] = [
  [KIB, 4.95],
  [4 * KIB, 6.67],
  [16 * KIB, 9.52],
  [64 * KIB, 22.7],
  [1024 * KIB, 625],
];
/** Creating 1 KB with 10 indexed terms costs 7.0, without any 4.95. */
const CREATED_TERM = 0.205;
/** Replacing 1 KB with 2 changed terms costs 10.8, that is twice the write and this for each. */
const CHANGED_TERM = 0.45;
/** A query that finds one item of 1 KB by its index costs about 2.8. */
const QUERY_BASE = 2.3;
const QUERY_SHARE_OF_READ = 0.5;

/** A read that found nothing, or a refused condition. */
export const SMALLEST_CHARGE = 1;
/** A change feed poll that finds nothing. */
const IDLE_POLL = 2;

export function readCharge(bytes: number): number {
  return interpolate(POINT_READ, bytes);
}

export function createCharge(bytes: number, terms: number): number {
  return interpolate(WRITE, bytes) + CREATED_TERM * terms;
}

export function replaceCharge(bytes: number, changedTerms: number): number {
  return 2 * interpolate(WRITE, bytes) + CHANGED_TERM * changedTerms;
}

export function deleteCharge(bytes: number, terms: number): number {
  return createCharge(bytes, terms);
}

/** @param loadedBytes sizes of the items that the query had to load, returned or not */
export function queryCharge(loadedBytes: readonly number[]): number {
  return loadedBytes.reduce((sum, bytes) => sum + QUERY_SHARE_OF_READ * readCharge(bytes), QUERY_BASE);
}

/** "Same as reading each document"; an idle poll about 2. */
export function feedCharge(returnedBytes: readonly number[]): number {
  if (returnedBytes.length === 0) return IDLE_POLL;
  return Math.max(
    IDLE_POLL,
    returnedBytes.reduce((sum, bytes) => sum + readCharge(bytes), 0),
  );
}

/** Reads under Strong and Bounded Staleness ask two replicas and cost twice. */
export function consistencyFactor(consistencyLevel: string): number {
  return consistencyLevel === 'Strong' || consistencyLevel === 'BoundedStaleness' ? 2 : 1;
}

function interpolate(points: readonly Point[], bytes: number): number {
  let previous: Point = points[0] ?? [0, 0];
  if (bytes <= previous[0]) return previous[1];
  let slope = 0;
  for (const point of points) {
    if (point === previous) continue;
    slope = (point[1] - previous[1]) / (point[0] - previous[0]);
    if (bytes <= point[0]) break;
    if (point !== points.at(-1)) previous = point;
  }
  return previous[1] + slope * (bytes - previous[0]);
}
