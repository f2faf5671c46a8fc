import { GROUP, type KeySpace } from './key-space.ts';
import type { KeyValueClient } from './key-value-server.ts';

export const TRANSACTION_PUTS = 10;

/** What is asked for again and again. */
export interface Operation {
  readonly name: string;
  readonly writes: boolean;
  run(client: KeyValueClient): Promise<unknown>;
}

export function operationsOn(keys: KeySpace): Readonly<Record<'put' | 'get' | 'list' | 'txn', Operation>> {
  return {
    put: { name: 'put', writes: true, run: (client) => client.put(keys.anyEntry()) },
    get: { name: 'get', writes: false, run: (client) => client.get(keys.anyKey()) },
    list: {
      name: `list of ${GROUP}`,
      writes: false,
      async run(client) {
        const values = await client.list(keys.anyGroup());
        if (values.length !== GROUP) throw new Error(`A listing holds ${values.length} keys.`);
      },
    },
    txn: {
      name: `txn of ${TRANSACTION_PUTS} puts`,
      writes: true,
      run: (client) => client.putAll(keys.anyEntries(TRANSACTION_PUTS)),
    },
  };
}
