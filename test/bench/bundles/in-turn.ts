import { cpuMicroseconds } from '../product/processes.ts';

/** Something that is done again and again, each time with something new. */
export interface Task {
  readonly name: string;
  /** Done once every so many rounds; in each unless told. */
  readonly every?: number;
  /** Makes ready what is not timed. @returns what is. */
  begin(round: number): Promise<() => Promise<unknown>>;
}

export interface Taken {
  /** Of each time that it was done. */
  readonly milliseconds: readonly number[];
  /** CPU time of the process that was looked at, each time on average, with what it does of its own accord meanwhile. */
  readonly cpuMilliseconds: number;
}

/**
 * Takes tasks in turn, one after another, many rounds over, so that a busy moment of the machine meets each alike. The first round
 * only warms up.
 *
 * @param pid whose CPU time is taken.
 * @returns what each took, by the task's name.
 */
export async function timeInTurn(
  tasks: readonly Task[],
  { rounds, pid }: { readonly rounds: number; readonly pid: number },
): Promise<ReadonlyMap<string, Taken>> {
  const milliseconds = new Map<string, number[]>(tasks.map(({ name }) => [name, []]));
  const cpu = new Map<string, number>();
  for (let round = 0; round <= rounds; round += 1) {
    for (const { name, every = 1, begin } of tasks) {
      if (round % every !== 0) continue;
      const run = await begin(round);
      const cpuBefore = cpuMicroseconds(pid);
      const startedAt = performance.now();
      await run();
      const taken = performance.now() - startedAt;
      if (round === 0) continue;
      milliseconds.get(name)?.push(taken);
      cpu.set(name, (cpu.get(name) ?? 0) + (cpuMicroseconds(pid) - cpuBefore) / 1000);
    }
  }
  return new Map(
    [...milliseconds].map(([name, samples]) => [
      name,
      { milliseconds: samples, cpuMilliseconds: (cpu.get(name) ?? 0) / samples.length },
    ]),
  );
}
