/** An emulator as a process of its own: `node emulator-process.ts cosmos DATA_FOLDER`, `… servicebus DATA_FOLDER CONFIG_AS_JSON`. */
import { startCosmosServer } from '../../../infra/local/cosmos/server.ts';
import { startServiceBusServer } from '../../../infra/local/servicebus/server.ts';
import { reportToBench } from './report-to-bench.ts';

const [kind, dataFolder = '', config = ''] = process.argv.slice(2);
const server =
  kind === 'cosmos'
    ? await startCosmosServer({ port: 0, dataFolder })
    : await startServiceBusServer({ port: 0, dataFolder, config: JSON.parse(config) });
reportToBench(server.connectionString);
