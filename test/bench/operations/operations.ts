import os from 'node:os';
import { SkerryClient } from '../../../client/skerry-client.ts';
import { watchMemory } from '../bundles/resident-memory.ts';
import { median, percentile, printTable, rounded } from '../statistics.ts';
import { RunningProduct } from '../webhooks/running-product.ts';
import { BareBus } from './bare-bus.ts';
import { BusCommands, OPERATION_ENDS } from './bus-commands.ts';
import { type Course, type Pace, paceOf } from './command-course.ts';

const ROUNDS = 3;
/** SKERRY_STEPS_AT_ONCE, as it is unless told. */
const STEPS_AT_ONCE = 10;
const MANY_RESOURCES = 1_000;
const MEGABYTE = 1024 * 1024;

/** What commands and operations cost, beside the bare SDK doing the same sends and receives. */
export async function benchOperations(quick: boolean): Promise<void> {
  const product = await RunningProduct.start({ flags: ['--bus-subscription', OPERATION_ENDS] });
  const client = new SkerryClient({ url: product.skerry.url });
  const commands = new BusCommands(product.skerry.connections.servicebus, client);
  const bare = await BareBus.start();
  try {
    const bench = new Bench({ product, commands, client, bare });
    await bench.prepare();
    // While the worker is young, so that its memory is that of the operation.
    await bench.largeOperation(quick ? MANY_RESOURCES / 10 : MANY_RESOURCES);
    await bench.commands(quick ? 60 : 300, quick ? 1 : ROUNDS);
  } finally {
    await Promise.all([bare.stop(), commands.close()]);
    await product.stop();
  }
}

interface Parts {
  readonly product: RunningProduct;
  readonly commands: BusCommands;
  readonly client: SkerryClient;
  readonly bare: BareBus;
}

class Bench {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  async prepare(): Promise<void> {
    const { client } = this.#parts;
    await client.templates.put('one', templateOf(1));
    await this.#atOnce(10);
    await this.#bareAtOnce(10);
  }

  /** Commands for as many environments, all sent at once; and one after the other. */
  async commands(count: number, rounds: number): Promise<void> {
    const paces: { name: string; own: Pace[]; floor: Pace[]; cpu: number[] }[] = [
      { name: 'at once', own: [], floor: [], cpu: [] },
      { name: 'one after another', own: [], floor: [], cpu: [] },
    ];
    const [many, few] = paces;
    for (let round = 0; round < rounds; round += 1) {
      const before = this.#parts.product.cpu().functions;
      many?.own.push(paceOf(await this.#atOnce(count)));
      many?.cpu.push((this.#parts.product.cpu().functions - before) / 1000 / count);
      many?.floor.push(paceOf(await this.#bareAtOnce(count)));
      few?.own.push(paceOf(await this.#inTurn(count / 3)));
      few?.floor.push(paceOf(await inTurn(count / 3, () => this.#bareOne())));
    }
    const rows = paces.flatMap(({ name, own, floor }) => {
      const row = (what: string, ofPace: (pace: Pace) => number, digits: number) => {
        const [mine, bare] = [own, floor].map((each) => median(each.map(ofPace)));
        return [
          `${what}, ${name}`,
          rounded(mine ?? Number.NaN, digits),
          rounded(bare ?? Number.NaN, digits),
          rounded((mine ?? Number.NaN) / (bare ?? Number.NaN), 2),
        ];
      };
      return [
        row('accepted a second', ({ accepted }) => accepted, 0),
        row('completed a second', ({ completed }) => completed, 0),
        row('to the first step, p50 ms', ({ delays }) => percentile(delays, 0.5), 1),
        row('to the first step, p99 ms', ({ delays }) => percentile(delays, 0.99), 1),
      ];
    });
    printTable(
      `Commands by the bus, ${count} at once and ${count / 3} one after another, each an environment of one resource: medians of ${rounds} rounds in turn (load of the machine ${rounded(os.loadavg()[0] ?? 0)}; CPU of the functions ${rounded(median(many?.cpu ?? []))} ms an operation)`,
      ['', 'Skerry', 'bare SDK', 'ratio'],
      rows,
    );
  }

  /** One operation of many resources that do not depend on each other. */
  async largeOperation(resources: number): Promise<void> {
    const { product, commands, client, bare } = this.#parts;
    await client.templates.put('many', templateOf(resources));
    const cpu = product.cpu().functions;
    let course: Course | undefined;
    const memory = await watchMemory(new Map([['worker', product.workerPid]]), async () => {
      [course] = await commands.coursesOf([await commands.create('many')]);
    });
    const spent = (product.cpu().functions - cpu) / 1000;
    const floor = await bare.run({ data: 'x'.repeat(300) }, { steps: resources, atOnce: STEPS_AT_ONCE });
    const { before = 0, most = 0 } = memory.get('worker') ?? {};
    const seconds = (run: Course | undefined) => ((run?.endedAt ?? Number.NaN) - (run?.sentAt ?? 0)) / 1000;
    const begun = (run: Course | undefined) => (run?.begunAt ?? Number.NaN) - (run?.sentAt ?? 0);
    printTable(
      `One operation of ${resources} resources, ${STEPS_AT_ONCE} steps at once (worker: ${rounded(spent / resources)} ms of CPU a resource; resident ${rounded(before / MEGABYTE, 0)} MB before, ${rounded(most / MEGABYTE, 0)} MB at most)`,
      ['', 'Skerry', 'bare SDK', 'ratio'],
      [
        ['seconds to the end', ...beside(seconds(course), seconds(floor))],
        ['resources a second', ...beside(resources / seconds(course), resources / seconds(floor))],
        ['to the first step, ms', ...beside(begun(course), begun(floor))],
      ],
    );
  }

  async #atOnce(count: number): Promise<Course[]> {
    const { commands } = this.#parts;
    const ends = await Promise.all(Array.from({ length: count }, () => commands.create('one')));
    // What it costs to ask is not part of what is measured.
    return await commands.coursesOf(ends);
  }

  async #inTurn(count: number): Promise<Course[]> {
    const { commands } = this.#parts;
    return await commands.coursesOf(await inTurn(count, () => commands.create('one')));
  }

  async #bareAtOnce(count: number): Promise<Course[]> {
    return await Promise.all(Array.from({ length: count }, () => this.#bareOne()));
  }

  async #bareOne(): Promise<Course> {
    return await this.#parts.bare.run({ data: 'x'.repeat(300) }, { steps: 1, atOnce: 1 });
  }
}

async function inTurn<Taken>(count: number, run: () => Promise<Taken>): Promise<Taken[]> {
  const courses: Taken[] = [];
  while (courses.length < count) courses.push(await run());
  return courses;
}

function beside(mine: number, bare: number): string[] {
  return [rounded(mine), rounded(bare), rounded(mine / bare, 2)];
}

/** Resources that do not depend on each other, each of which writes one key. */
function templateOf(resources: number) {
  return {
    name: `${resources} resources`,
    actions: [
      {
        name: 'write',
        executor: 'config',
        command: { keys: { 'bench-${environment.id}/${resource.id}': { text: 'x'.repeat(100) } } },
      },
    ],
    resources: Array.from({ length: resources }, (_, index) => ({
      id: `r${index}`,
      actions: { create: 'write' },
    })),
  };
}
