import { MAX_OUTPUT_BYTES } from '../operations/index.ts';
import type { Json } from '../records/index.ts';

export interface BoundedOutputs {
  readonly outputs: Readonly<Record<string, Json>>;
  /** A line for each output that did not fit. */
  readonly log: readonly string[];
}

/** As many of the outputs as may be kept, in their order. */
export function boundOutputs(all: Iterable<readonly [string, Json]>): BoundedOutputs {
  const outputs: [string, Json][] = [];
  const log: string[] = [];
  let bytes = 2;
  for (const [name, value] of all) {
    const size = Buffer.byteLength(JSON.stringify({ [name]: value }));
    if (bytes + size <= MAX_OUTPUT_BYTES) {
      bytes += size;
      outputs.push([name, value]);
    } else {
      log.push(`The output ${name} is left out: outputs are ${MAX_OUTPUT_BYTES / 1024} KiB at the most.`);
    }
  }
  return { outputs: Object.fromEntries(outputs), log };
}
