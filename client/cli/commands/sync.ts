import path from 'node:path';
import { defineCommand } from '../command.ts';
import { FileSync } from '../sync/file-sync.ts';
import { LEDGER_STORE } from '../sync/ledger.ts';
import { isStoreName } from '../sync/place-of-key.ts';
import { StatusFile } from '../sync/status-file.ts';
import { defaultSyncName } from '../sync/sync-name.ts';
import { SyncReport } from '../sync/sync-report.ts';
import { UsageError } from '../usage-error.ts';

export const syncCommand = defineCommand({
  name: 'sync',
  summary: 'Brings what files say into stores, and with --watch keeps it so',
  notes: `Files end in .json, .yaml or .yml and hold {"data": [{"key", "value"}]}; folders are read with all folders in them. A key /vnf-agent/LABEL/KEY goes into the store LABEL as KEY; --store says where other keys go. Keys that the files no longer have are deleted where this sync put them; which those are is kept in the store ${LEDGER_STORE}. docs/cli.md tells the details.`,
  args: ['<path...>'],
  flags: {
    store: { placeholder: 'NAME', summary: 'where keys go that do not begin with /vnf-agent/LABEL/' },
    watch: { summary: 'stay, and write what changes in the files' },
    statusPath: {
      placeholder: 'FILE',
      summary: 'write the status that agents have put into a .json or .yaml file',
    },
    name: { placeholder: 'NAME', summary: 'tells this sync from others (made of the host and the paths)' },
  },
  examples: [
    'skerry sync config/',
    'skerry sync config/ --watch --status-path status.json',
    'skerry sync defaults.yaml --store agent1',
  ],
  async run({ args, flags, client, output, signal, folder }) {
    const { store, watch, statusPath } = flags;
    const paths = [...new Set(args.path.map((given) => path.resolve(folder, given)))];
    if (store !== undefined && !isStoreName(store))
      throw new UsageError(`--store: "${store}" is no name of a store.`);
    if (flags.name !== undefined && !isStoreName(flags.name)) {
      throw new UsageError(`--name takes 1 to 128 of the characters 0-9 A-Z a-z . _ -, not "${flags.name}".`);
    }
    const sync = new FileSync({
      client,
      paths,
      store,
      name: flags.name ?? defaultSyncName(paths, store),
      statusFile:
        statusPath === undefined ? undefined : await StatusFile.at(path.resolve(folder, statusPath)),
      report: new SyncReport(output),
      signal,
    });
    await sync.bringOnce();
    if (watch) await sync.follow();
    return undefined;
  },
});
