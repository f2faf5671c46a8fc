import { Histogram, type Metric, Sum } from './metric.ts';

/** Seconds: of what happens within a process, or by one call. */
const DURATIONS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
/** Seconds: of what waits. */
const WAITS = [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600];
const COUNTS = [1, 2, 3, 5, 7, 10, 20, 49];

/**
 * All metrics of this process, each where it is counted; docs/operations.md says what they mean. They are of the process and not of
 * an instance of the services, as what they count is: a gauge in one place would hide the others.
 */
export const metrics = {
  httpRequests: new Sum('counter', {
    name: 'skerry.http.requests',
    help: 'Requests that were answered.',
    unit: '{request}',
    labels: ['function', 'method', 'status'],
  }),
  httpDuration: new Histogram(DURATIONS, {
    name: 'skerry.http.request.duration',
    help: 'Time until a request had its answer, or the head of a stream.',
    unit: 's',
    labels: ['function'],
  }),
  httpRefusals: new Sum('counter', {
    name: 'skerry.http.refusals',
    help: 'Answers that are errors, by the kind of the error.',
    unit: '{refusal}',
    labels: ['reason'],
  }),
  commitChanges: new Histogram(COUNTS, {
    name: 'skerry.commit.changes',
    help: 'Changes that were written in one batch.',
    unit: '{change}',
  }),
  commitDuration: new Histogram(DURATIONS, {
    name: 'skerry.commit.duration',
    help: 'Time from the request for a transaction to its outcome.',
    unit: 's',
  }),
  commitRetries: new Sum('counter', {
    name: 'skerry.commit.retries',
    help: 'Batches that did not come to stand, by why.',
    unit: '{batch}',
    labels: ['reason'],
    series: ['conflict', 'moved', 'throttled', 'uncertain'].map((reason) => ({ reason })),
  }),
  cosmosRequests: new Sum('counter', {
    name: 'skerry.cosmos.requests',
    help: 'Requests to Cosmos DB; status 0 where no answer came.',
    unit: '{request}',
    labels: ['operation', 'container', 'status'],
  }),
  cosmosRequestUnits: new Sum('counter', {
    name: 'skerry.cosmos.request_units',
    help: 'Request units that Cosmos DB charged.',
    unit: '{request_unit}',
    labels: ['operation', 'container'],
  }),
  cosmosDuration: new Histogram(DURATIONS, {
    name: 'skerry.cosmos.request.duration',
    help: 'Time of one request to Cosmos DB.',
    unit: 's',
    labels: ['operation'],
  }),
  cosmosThrottled: new Sum('counter', {
    name: 'skerry.cosmos.throttled',
    help: 'Requests that Cosmos DB refused with 429; the SDK tries some of them again.',
    unit: '{request}',
    labels: ['container'],
  }),
  feedLag: new Histogram(WAITS, {
    name: 'skerry.feed.lag',
    help: 'Time from the writing of a change to its arrival by the change feed.',
    unit: 's',
  }),
  queueAge: new Histogram(WAITS, {
    name: 'skerry.queue.age',
    help: 'Time that a message was due before it was handled.',
    unit: 's',
    labels: ['queue'],
  }),
  deliveries: new Sum('counter', {
    name: 'skerry.deliveries',
    help: 'What became of attempts to deliver: delivered, failed (and tried again), dead, held.',
    unit: '{attempt}',
    labels: ['outcome'],
    series: ['delivered', 'failed', 'dead', 'held'].map((outcome) => ({ outcome })),
  }),
  deliveryAttempts: new Histogram(COUNTS, {
    name: 'skerry.delivery.attempts',
    help: 'Attempts that a delivery took to its end.',
    unit: '{attempt}',
    labels: ['outcome'],
  }),
  deliveryDuration: new Histogram(DURATIONS, {
    name: 'skerry.delivery.duration',
    help: 'Time of one call of an endpoint.',
    unit: 's',
  }),
  deadLetters: new Sum('counter', {
    name: 'skerry.dead_letters',
    help: 'What nobody tries any more.',
    unit: '{letter}',
    labels: ['kind'],
    series: [{ kind: 'delivery' }],
  }),
  watchesHeld: new Sum('gauge', {
    name: 'skerry.watches.held',
    help: 'Watches that are held now.',
    unit: '{watch}',
    series: [{}],
  }),
  cacheLookups: new Sum('counter', {
    name: 'skerry.cache.lookups',
    help: 'Reads that memory could answer (hit), or not (miss).',
    unit: '{lookup}',
    labels: ['cache', 'result'],
    series: ['snapshot', 'change'].flatMap((cache) => ['hit', 'miss'].map((result) => ({ cache, result }))),
  }),
  leasesExpired: new Sum('counter', {
    name: 'skerry.leases.expired',
    help: 'Instances, records and sessions whose time ran out.',
    unit: '{lease}',
    series: [{}],
  }),
  telemetryDropped: new Sum('counter', {
    name: 'skerry.telemetry.dropped',
    help: 'Spans, and exports of metrics, that did not get to where they were to go.',
    unit: '{item}',
    labels: ['signal'],
    series: ['spans', 'metrics'].map((signal) => ({ signal })),
  }),
} as const satisfies Record<string, Metric>;

/** Counts a read that memory could answer, or not. */
export function countLookup(cache: 'snapshot' | 'change', isHit: boolean): void {
  metrics.cacheLookups.add({ cache, result: isHit ? 'hit' : 'miss' });
}
