import { median, printTable, rounded } from '../statistics.ts';
import { BareLoop } from './bare-loop.ts';
import { Endpoints, type HeardCall } from './endpoints.ts';
import { now, RunningProduct } from './running-product.ts';

/** What one change to all endpoints took. */
interface Burst {
  /** Until the first and the last endpoint had it, from the answer to the change. */
  readonly first: number;
  readonly last: number;
  /** Milliseconds of CPU for each call. */
  readonly cpu: { readonly sender: number; readonly emulators: number };
}

/** One change that a thousand endpoints hear of, and in turn with it a bare loop that POSTs the same bytes to the same endpoints. */
export async function benchBurst(quick: boolean): Promise<void> {
  const count = quick ? 100 : 1_000;
  const endpoints = await Endpoints.open(count);
  const product = await RunningProduct.start();
  const loop = new BareLoop();
  await Promise.all(endpoints.urls.map((url) => product.subscribe('/kv/bench', url)));

  const bursts: Burst[] = [];
  const floors: Burst[] = [];
  for (let round = 0; round <= (quick ? 1 : 5); round += 1) {
    const { burst, call } = await tellAll(product, endpoints, round);
    bursts.push(burst);
    const { milliseconds, cpuMicroseconds } = await loop.post(endpoints.urls, call);
    const cpu = { sender: cpuMicroseconds / 1000 / count, emulators: Number.NaN };
    floors.push({ first: Number.NaN, last: milliseconds, cpu });
  }
  const [cold, ...warm] = bursts;
  const [coldFloor, ...warmFloors] = floors;

  const rows: readonly (readonly [string, readonly Burst[], readonly Burst[]])[] = [
    ['Skerry', warm, warmFloors],
    ['floor: a loop of undici, 256 at a time, same bytes', warmFloors, warmFloors],
    ['Skerry, the first change after its start', cold ? [cold] : [], coldFloor ? [coldFloor] : []],
    ['floor, its first round', coldFloor ? [coldFloor] : [], coldFloor ? [coldFloor] : []],
  ];
  printTable(
    `One change to ${count} endpoints, each with an address of its own: medians of ${warm.length} rounds in turn`,
    ['', 'first ms', 'all ms', 'calls/s', '÷ floor', 'CPU ms/call', '÷ floor', 'emulators'],
    rows.map(([name, rounds, floor]) => [
      name,
      rounded(
        medianOf(rounds, ({ first }) => first),
        0,
      ),
      rounded(
        medianOf(rounds, ({ last }) => last),
        0,
      ),
      rounded((1000 * count) / medianOf(rounds, ({ last }) => last), 0),
      rounded(medianOf(rounds, ({ last }) => last) / medianOf(floor, ({ last }) => last)),
      rounded(
        medianOf(rounds, ({ cpu }) => cpu.sender),
        2,
      ),
      rounded(medianOf(rounds, ({ cpu }) => cpu.sender) / medianOf(floor, ({ cpu }) => cpu.sender)),
      rounded(
        medianOf(rounds, ({ cpu }) => cpu.emulators),
        2,
      ),
    ]),
  );
  loop.stop();
  await product.stop();
  endpoints.close();
}

function medianOf(bursts: readonly Burst[], read: (burst: Burst) => number): number {
  return median(bursts.map(read));
}

async function tellAll(
  product: RunningProduct,
  endpoints: Endpoints,
  round: number,
): Promise<{ burst: Burst; call: HeardCall }> {
  const heard = new Map<number, HeardCall>();
  const { promise, resolve } = Promise.withResolvers<void>();
  endpoints.onCall = (call) => {
    heard.set(call.endpoint, call);
    if (heard.size === endpoints.urls.length) resolve();
  };
  const before = product.cpu();
  await product.ask('PUT', 'kv/bench/key', { round, text: 'x'.repeat(200) });
  const answeredAt = now();
  await promise;
  const after = product.cpu();
  const calls = [...heard.values()];
  const times = calls.map(({ at }) => at - answeredAt);
  const each = (program: 'functions' | 'emulators') =>
    (after[program] - before[program]) / 1000 / calls.length;
  const [call] = calls;
  if (call === undefined) throw new Error('Nobody heard of the change.');
  return {
    burst: {
      first: Math.min(...times),
      last: Math.max(...times),
      cpu: { sender: each('functions'), emulators: each('emulators') },
    },
    call,
  };
}
