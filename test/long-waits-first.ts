import path from 'node:path';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Files that wait for most of their time, and longest, for what takes its time in a host: locks, timeouts and pauses. */
const LONG_WAITS = [
  'test/conformance/host/supervisor.test.ts',
  'test/conformance/host/cosmos-trigger.test.ts',
  'test/conformance/host/service-bus-trigger.test.ts',
];

/** Where tests start processes, and wait for them. */
const OVER_PROCESSES = ['test/conformance', 'test/e2e'];

/** Further files that are long, of those that run after what computes. */
const LONG = [
  'test/e2e/launcher.test.ts',
  'test/conformance/host/http-stream.test.ts',
  'test/conformance/host/service-bus-sessions.test.ts',
  'test/e2e/faults.test.ts',
  'test/conformance/servicebus/sessions.test.ts',
  'test/e2e/watch.test.ts',
];

/** Starts the longest waits first, so that they pass while other files compute, and no long file late, to be waited for alone. */
export class LongWaitsFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const inOrder = await super.sort(files);
    const pick = (names: readonly string[]) =>
      names.flatMap((name) => inOrder.filter(({ moduleId }) => moduleId === path.resolve(name)));
    const [waits, long] = [pick(LONG_WAITS), pick(LONG)];
    const others = inOrder.filter((file) => !waits.includes(file) && !long.includes(file));
    const [processes, computing] = [
      others.filter(isOverProcesses),
      others.filter((file) => !isOverProcesses(file)),
    ];
    return [...waits, ...computing, ...long, ...processes];
  }
}

function isOverProcesses({ moduleId }: TestSpecification): boolean {
  return OVER_PROCESSES.some((folder) => moduleId.startsWith(path.resolve(folder)));
}
